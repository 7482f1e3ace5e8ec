//! Local files.

use super::*;

#[tokio::test]
async fn local_files_are_used_in_place() {
    let bench = Bench::new();
    let path = bench.directory.path().join("a b.img");
    fs::write(&path, b"image").unwrap();
    let url = format!("file://{}", path.display().to_string().replace(' ', "%20"));
    let plain = bench.fetch(&[url], Checksum::None).await.unwrap();
    assert_eq!(
        plain.file.metadata().unwrap().ino(),
        fs::metadata(&path).unwrap().ino()
    );
    assert_eq!((content(&plain), plain.sha256), (b"image".to_vec(), None));
    let text = path.display().to_string();
    let checked = bench.fetch(&[&text], sha256(b"image")).await.unwrap();
    assert_eq!(checked.sha256, Some(digest(Algorithm::Sha256, b"image")));
    let md5 = Checksum::Digest(digest(Algorithm::Md5, b"image"));
    assert!(bench.fetch(&[&text], md5).await.is_ok());
    let error = bench.fetch(&[text], sha256(b"other")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("checksum mismatch: expected sha256 "),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"image");
    assert!(!bench.settings.cache_directory.exists());
}

#[tokio::test]
async fn local_files_that_are_none() {
    let bench = Bench::new();
    let missing = "/nonexistent/a.img".to_owned();
    let folder = bench.directory.path().display().to_string();
    let error = bench
        .fetch(&[missing, folder.clone()], Checksum::None)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("can't read /nonexistent/a.img: No such file"),
        "{text}"
    );
    assert!(
        text.contains(&format!("{folder} is not a regular file")),
        "{text}"
    );
    let nothing = bench.fetch(&[""; 0], Checksum::None).await;
    assert!(matches!(nothing, Err(FetchError::NoLocation)));
}

#[tokio::test]
async fn a_local_file_stays_beneath_the_folder_that_holds_it() {
    let bench = Bench::new();
    let root = bench.directory.path();
    fs::create_dir_all(root.join("granted/deep")).unwrap();
    fs::write(root.join("granted/deep/a.img"), b"image").unwrap();
    fs::write(root.join("secret"), b"secret").unwrap();
    std::os::unix::fs::symlink("deep/a.img", root.join("granted/inside")).unwrap();
    std::os::unix::fs::symlink("../secret", root.join("granted/outside")).unwrap();
    std::os::unix::fs::symlink(root.join("secret"), root.join("granted/absolute")).unwrap();
    std::os::unix::fs::symlink("..", root.join("granted/up")).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    let pipe = root.join("granted/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let held = HeldFolder::open(&root.join("granted/")).unwrap();
    let request = |below: &str| {
        let path = root.join(below);
        let location = Location::parse(path.to_str().unwrap()).unwrap();
        Request {
            held: [(path, held.clone())].into(),
            ..Request::named_by_user(vec![location], Checksum::None)
        }
    };
    for below in ["granted/deep/a.img", "granted/inside"] {
        let fetched = bench.run(&request(below), &Silent).await.unwrap();
        assert_eq!(content(&fetched), b"image");
    }
    for below in [
        "granted/outside",
        "granted/absolute",
        "granted/up/secret",
        "secret",
    ] {
        let failed = failures(bench.run(&request(below), &Silent).await.unwrap_err());
        assert!(
            matches!(failed[0].error, LocationError::LeadsOut(_)),
            "{failed:?}"
        );
    }
    for below in ["granted/deep", "granted/pipe"] {
        let failed = failures(bench.run(&request(below), &Silent).await.unwrap_err());
        assert!(
            matches!(failed[0].error, LocationError::NotAFile(_)),
            "{failed:?}"
        );
    }
    // The folder that was opened, whatever has its name by now.
    fs::rename(root.join("granted"), root.join("aside")).unwrap();
    fs::create_dir_all(root.join("granted/deep")).unwrap();
    fs::write(root.join("granted/deep/a.img"), b"another").unwrap();
    let fetched = bench
        .run(&request("granted/deep/a.img"), &Silent)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"image");
}

#[tokio::test]
async fn no_race_leads_a_local_file_out_of_its_folder() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let bench = Bench::new();
    let root = bench.directory.path();
    fs::create_dir_all(root.join("granted/sub")).unwrap();
    fs::create_dir_all(root.join("outside")).unwrap();
    fs::write(root.join("granted/sub/a.img"), b"image").unwrap();
    fs::write(root.join("outside/a.img"), b"secret").unwrap();
    std::os::unix::fs::symlink("../outside", root.join("granted/link")).unwrap();
    let path = root.join("granted/sub/a.img");
    let request = Request {
        held: [(
            path.clone(),
            HeldFolder::open(&root.join("granted")).unwrap(),
        )]
        .into(),
        ..Request::named_by_user(
            vec![Location::parse(path.to_str().unwrap()).unwrap()],
            Checksum::None,
        )
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let (one, other) = (root.join("granted/sub"), root.join("granted/link"));
    let swapping = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
        }
    });
    let (mut read, mut leaked) = (0, false);
    for _ in 0..4000 {
        if let Ok(fetched) = bench.run(&request, &Silent).await {
            leaked |= content(&fetched) != b"image";
            read += 1;
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(!leaked && read > 0, "{read} read");
}
