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
