use super::*;

fn budget() -> Budget {
    Budget::new(Limits {
        configure_time: Duration::from_secs(5),
        prepare_time: Duration::from_secs(60),
        ..Limits::default()
    })
}

#[test]
fn what_many_calls_use_is_one_sum() {
    let budget = budget();
    let volumes = (0..41).map(|_| budget.account(Stage::Asking));
    let ended = volumes.take_while(|volume| {
        volume.charge(Duration::from_secs(1));
        volume.check().is_ok()
    });
    assert_eq!(ended.count(), 4);
    // Another stage has its own.
    assert_eq!(budget.account(Stage::Preparing).check(), Ok(()));
}

#[test]
fn clones_share_it() {
    let first = budget();
    let second = first.clone();
    first
        .account(Stage::Preparing)
        .charge(Duration::from_secs(60));
    assert!(second.account(Stage::Preparing).check().is_err());
}

#[test]
fn what_many_components_use_is_one_sum() {
    let whole = Budget::new(Limits {
        configure_time: Duration::from_secs(8),
        ..Limits::default()
    });
    let parts: Vec<Account> = (0..3)
        .map(|_| whole.part(budget().limits().clone()).account(Stage::Asking))
        .collect();
    // Each of them has something left of its own.
    for part in &parts {
        part.charge(Duration::from_secs(3));
    }
    let fault = parts[0].check().expect_err("used up").to_string();
    let expected = "all components of the command together computed for more than 8 s";
    assert!(fault.contains(expected), "{fault}");
    assert_eq!(parts[2].left(), Duration::ZERO);
    // Another stage has its own.
    assert_eq!(
        whole
            .part(Limits::default())
            .account(Stage::Preparing)
            .check(),
        Ok(())
    );
}

#[test]
fn open_files_are_one_sum() {
    let whole = Budget::new(Limits::default());
    let [first, second] =
        [(), ()].map(|()| whole.part(Limits::default()).account(Stage::Preparing));
    let mut held: Vec<Held> = (0..limits::BLOBS).filter_map(|_| first.hold()).collect();
    assert_eq!(held.len(), limits::BLOBS);
    assert!(first.hold().is_none() && second.hold().is_none());
    held.pop();
    let another = second.hold();
    assert!(another.is_some() && second.hold().is_none());
    drop((another, held));
    assert_eq!(whole.0.blobs.load(Ordering::Relaxed), 0);
}

#[test]
fn each_thing_that_is_counted_has_an_end() {
    type UseUp = fn(&Account);
    let cases: [(&str, UseUp); 8] = [
        ("computed for more than 60 s", |account| {
            account.charge(Duration::from_secs(60));
        }),
        ("did nothing", |account| {
            account.charge_silence(Duration::MAX);
        }),
        ("hours", |account| account.charge_passed(Duration::MAX)),
        ("TiB", |account| account.charge_bytes(u64::MAX)),
        ("TiB", |account| {
            account.charge_bytes(limits::BYTES);
            account.charge_bytes(1);
        }),
        ("it made more than 128 MiB of machine code", |account| {
            (0..9).for_each(|_| account.charge_code(15 << 20));
        }),
        ("it said more than 16 MiB", |account| {
            (0..9).for_each(|_| account.charge_said(2 << 20));
        }),
        ("downloads, listings", |account| {
            (0..=limits::LOOK_UPS).for_each(|_| account.charge_look_up());
        }),
    ];
    for (expected, use_up) in cases {
        let account = budget().account(Stage::Preparing);
        assert_eq!(account.check(), Ok(()));
        use_up(&account);
        let fault = account.check().expect_err(expected).to_string();
        assert!(fault.contains(expected), "{expected}: {fault}");
    }
}
