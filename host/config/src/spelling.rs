//! Spellings that the Go plugin 0.5.0 takes and that mean the same as leaving the option out.

use lvhost_hcl::{Body, Value};

/// Takes them out of the body of a source.
pub(crate) fn normalise(body: &mut Body) {
    leave_out(body, "shutdown_mode", |value| {
        value.as_str() == Some("auto")
    });
    for block in &mut body.blocks {
        if block.name == "graphics" {
            // Any number up to zero asks for a free port.
            leave_out(&mut block.body, "port", |value| {
                let port = value.to_number().and_then(|number| number.to_i64());
                port.is_some_and(|port| port < 0)
            });
        }
    }
}

fn leave_out(body: &mut Body, name: &str, means_nothing: impl Fn(&Value) -> bool) {
    if let Some(attribute) = body.attributes.get_mut(name)
        && means_nothing(&attribute.value)
    {
        attribute.value = Value::NULL;
    }
}
