//! The logs that builds leave.

use std::fs::{File, create_dir_all, read_dir};
use std::time::{Duration, SystemTime};

use crate::lvhost::{Lvhost, template};
use crate::run::NOWHERE;

#[test]
fn old_logs_go_when_a_build_is_run() {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template(NOWHERE, ""));
    let logs = lvhost.folder().join(".local/state/lvhost/logs");
    let month_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 60 * 60);
    for number in 0..120 {
        let folder = logs.join(format!("00000000-0000-4000-8000-{number:012}"));
        create_dir_all(&folder).unwrap();
        File::open(&folder)
            .unwrap()
            .set_modified(month_ago)
            .unwrap();
    }
    create_dir_all(logs.join("mine")).unwrap();
    lvhost.call(&["run", "t.pkr.hcl"]);
    let left = read_dir(&logs).unwrap().count();
    assert_eq!(left, 101, "the last hundred, and what is no build's");
}
