//! File transfer with a guest that misbehaves.

use tokio::io::AsyncReadExt;

use super::files::Trouble;
use super::peer::Script;
use super::*;

async fn guest_with(trouble: Option<Trouble>) -> (peer::Peer, Ssh) {
    guest(Script {
        files: trouble,
        ..Script::default()
    })
    .await
}

#[tokio::test]
async fn an_upload_is_written_in_order_and_its_progress_told() {
    let (_peer, ssh) = guest_with(Some(Trouble::None)).await;
    let noted = Noted::default();
    let length = 3 << 20;
    let mut source = tokio::io::repeat(7).take(length);
    ssh.upload(&mut source, Some(length), "/file", Some(0o600), &noted)
        .await
        .unwrap();
    let noted = noted.0.into_inner().unwrap();
    assert_eq!(noted, [("/file".to_owned(), Some(length), length, true)]);
}

#[tokio::test]
async fn what_the_guest_cannot_store_is_an_error() {
    for (trouble, path, expected) in [
        (
            Trouble::FullAtWrite,
            "/file",
            "cannot write /file in the guest: No space left on device",
        ),
        (
            Trouble::FullAtClose,
            "/file",
            "cannot write /file in the guest: No space left on device",
        ),
        (
            Trouble::None,
            "/missing/file",
            "cannot create /missing/file in the guest: no such file or folder: the folder that it goes into \
             must be there; make it first, by a provisioner `shell`",
        ),
        (
            Trouble::None,
            "/tree",
            "cannot create /tree in the guest: it is a folder: write a `/` at its end to copy into it",
        ),
    ] {
        let (_peer, ssh) = guest_with(Some(trouble.clone())).await;
        let mut source = tokio::io::repeat(7).take(3 << 20);
        let uploaded = ssh
            .upload(&mut source, None, path, None, &Noted::default())
            .await;
        assert_eq!(full(&uploaded.unwrap_err()), expected, "{trouble:?}");
    }
}

#[tokio::test]
async fn what_goes_into_the_home_is_no_folder_called_tilde() {
    let (_peer, ssh) = guest_with(Some(Trouble::None)).await;
    for (path, expected) in [("~/file", "./file"), ("~", "."), ("a~", "a~")] {
        let noted = Noted::default();
        ssh.upload(&mut &b"x"[..], Some(1), path, None, &noted)
            .await
            .unwrap();
        let noted = noted.0.into_inner().unwrap();
        assert_eq!(noted[0].0, expected, "{path}");
    }
    let folder = tempfile::tempdir().unwrap();
    let told = |error: Error| full(&error);
    let none = Noted::default();
    let theirs = "~demo/file";
    let up = ssh.upload(&mut &b""[..], None, theirs, None, &none).await;
    let down = ssh.download(theirs, &mut Vec::new(), &none).await;
    let into = ssh
        .upload_directory(folder.path(), theirs, &[], &none)
        .await;
    let out = ssh
        .download_directory(theirs, folder.path(), &[], &none)
        .await;
    for result in [up, down.map(drop), into, out] {
        let told = told(result.unwrap_err());
        assert!(told.contains("home of another user"), "{told}");
    }
}

#[tokio::test]
async fn a_connection_lost_in_a_transfer_is_said_to_be() {
    let (_peer, ssh) = guest_with(Some(Trouble::LostAtWrite)).await;
    let mut source = tokio::io::repeat(7);
    let error = ssh
        .upload(&mut source, None, "/file", None, &Noted::default())
        .await
        .unwrap_err();
    assert!(error.is_connection());
    let message = full(&error);
    assert!(
        message.contains("was lost during the upload of /file"),
        "{message}"
    );
}

#[tokio::test]
async fn a_guest_without_sftp_is_told_what_it_lacks() {
    let (_peer, ssh) = guest_with(None).await;
    let mut source = &b"x"[..];
    let error = ssh
        .upload(&mut source, None, "/file", None, &Noted::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("install sftp-server"), "{error}");
    assert!(!error.is_connection());
}

#[tokio::test]
async fn a_source_that_fails_is_an_error_of_the_host() {
    struct Failing;
    impl AsyncRead for Failing {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("bad sector")))
        }
    }
    let (_peer, ssh) = guest_with(Some(Trouble::None)).await;
    let uploaded = ssh
        .upload(&mut Failing, None, "/file", None, &Noted::default())
        .await;
    assert_eq!(
        full(&uploaded.unwrap_err()),
        "cannot read the local side of the transfer of /file: bad sector"
    );
}

#[tokio::test]
async fn a_hostile_folder_stays_in_its_bounds() {
    let name = |name: &str| Trouble::Name(name.to_owned());
    for (trouble, expected) in [
        (name("../escape"), "it holds a name that is no file name"),
        (name("/etc/passwd"), "it holds a name that is no file name"),
        (name(""), "it holds a name that is no file name"),
        (Trouble::EndlessFolder, "it holds too many files"),
        (Trouble::BottomlessFolder, "it is nested too deeply"),
        (Trouble::Device, "it is neither a file nor a folder"),
    ] {
        let (_peer, ssh) = guest_with(Some(trouble.clone())).await;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let noted = Noted::default();
        let error = ssh
            .download_directory("/tree/", &inner, &[], &noted)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Unsafe { .. }),
            "{trouble:?}: {error}"
        );
        assert!(error.to_string().contains(expected), "{error}");
        let outside = std::fs::read_dir(folder.path()).unwrap().count();
        assert!(outside <= 1, "{trouble:?} wrote beside the folder");
    }
}

#[tokio::test]
async fn no_link_that_is_there_leads_a_download_out_of_its_folder() {
    for is_file in [true, false] {
        let kind = if is_file {
            Trouble::File
        } else {
            Trouble::Name
        };
        let (_peer, ssh) = guest_with(Some(kind("link".to_owned()))).await;
        let outer = LinkedOut::new(is_file);
        let downloaded = ssh
            .download_directory("/tree/", &outer.folder(), &[], &Noted::default())
            .await;
        outer.check(downloaded, is_file);
    }
}

#[tokio::test]
async fn a_file_that_comes_in_half_leaves_what_was_there() {
    let (_peer, ssh) = guest_with(Some(Trouble::Name("endless".to_owned()))).await;
    for before in [Some("precious"), None] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("endless");
        if let Some(text) = before {
            std::fs::write(&file, text).unwrap();
        }
        let error = ssh
            .download_directory("/tree/", folder.path(), &[], &Noted::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unsafe { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), before);
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, usize::from(before.is_some()), "no half file is left");
    }
}
