//! `provisioner "breakpoint"`: the build waits until the user has looked at the guest.

use lvhost_config::Breakpoint;
use lvhost_hcl::Value;

use super::Job;
use crate::error::ProvisionError;

pub(super) async fn run(breakpoint: &Breakpoint, job: &Job<'_>) -> Result<(), ProvisionError> {
    let note = breakpoint.note.as_deref().unwrap_or("");
    if breakpoint.disable {
        job.ui.say(&with_note("The breakpoint is disabled", note));
        return Ok(());
    }
    let mut text = with_note("The build is stopped at a breakpoint", note);
    if let Some(way) = way_in(job.build) {
        text.push_str(&format!("\nThe guest is reached with: {way}"));
    }
    job.ui
        .wait_for_user(&text)
        .await
        .map_err(ProvisionError::NoUser)
}

fn with_note(text: &str, note: &str) -> String {
    if note.is_empty() {
        text.to_string()
    } else {
        format!("{text}: {note}")
    }
}

/// The command that leads into the guest.
fn way_in(build: &Value) -> Option<String> {
    let attributes = build.as_object()?;
    let text = |name| {
        attributes
            .get(name)
            .and_then(Value::to_text)
            .filter(|text| !text.is_empty())
    };
    let host = text("Host")?;
    let user = text("User")
        .map(|user| format!("{user}@"))
        .unwrap_or_default();
    let port = text("Port")
        .map(|port| format!("-p {port} "))
        .unwrap_or_default();
    Some(format!("ssh {port}{user}{host}"))
}
