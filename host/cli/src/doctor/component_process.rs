//! Whether the kernel of this machine holds components that are not built in to what they may use.

use lvhost_engine::with_causes;
use lvhost_runtime::child::Confinement;
use lvhost_runtime::{Runtime, Settings};

use super::checks::Check;

const NAME: &str = "processes for components";

/// Starts one and lets it tell.
pub(super) fn check() -> Check {
    let confinement = match Runtime::new(Settings::default()) {
        Ok(runtime) => runtime.confinement().map_err(|error| with_causes(&error)),
        Err(error) => Err(with_causes(&error)),
    };
    judge(confinement)
}

fn judge(confinement: Result<Confinement, String>) -> Check {
    match confinement {
        Err(error) => Check::warn(
            NAME,
            error,
            "components that are not built in can't be used here; lvhost starts itself for them, by \
             /proc/self/exe",
        ),
        Ok(confinement) => {
            let all = [
                ("no new privileges", confinement.no_new_privileges),
                ("seccomp", confinement.seccomp),
                ("landlock", confinement.landlock),
            ];
            let of = |holds: bool| {
                let some = all.iter().filter(|(_, it)| *it == holds);
                some.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            };
            let held = format!("held by resource limits, {}", of(true));
            match of(false) {
                missing if missing.is_empty() => Check::ok(NAME, held),
                missing => Check::warn(
                    NAME,
                    held.trim_end_matches(", ").to_owned(),
                    format!(
                        "this kernel lacks {missing}, so there is a wall less between a component \
                         that has broken out of its sandbox and this machine"
                    ),
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::Verdict;

    #[test]
    fn what_is_missing_is_named() {
        let confinement = |seccomp, landlock| Confinement {
            no_new_privileges: true,
            seccomp,
            landlock,
        };
        let all = judge(Ok(confinement(true, true)));
        assert_eq!(all.verdict, Verdict::Ok);
        assert!(
            all.finding
                .ends_with("no new privileges, seccomp, landlock")
        );
        for (seccomp, landlock, missing) in [
            (false, true, "lacks seccomp,"),
            (true, false, "lacks landlock,"),
            (false, false, "lacks seccomp, landlock,"),
        ] {
            let check = judge(Ok(confinement(seccomp, landlock)));
            assert_eq!(check.verdict, Verdict::Warn);
            let advice = check.advice.unwrap_or_default();
            assert!(advice.contains(missing), "{advice}");
        }
        assert_eq!(judge(Err("none".into())).verdict, Verdict::Warn);
    }
}
