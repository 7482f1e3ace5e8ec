//! scp with a guest that misbehaves.

use super::peer::{Copier, Peer, Script};
use super::*;

/// How long a guest may take over an answer where that is what the test waits for.
const SOON: Duration = Duration::from_millis(300);

async fn guest_with(scp: Option<Copier>) -> (Peer, Ssh) {
    guest_that_answers(scp, ANSWER_TIMEOUT).await
}

async fn guest_that_answers(scp: Option<Copier>, within: Duration) -> (Peer, Ssh) {
    let peer = Peer::start(Script {
        password: Some("secret".to_owned()),
        scp,
        ..Script::default()
    })
    .await;
    let mut settings = settings(peer.address, vec![password("secret")]);
    settings.file_transfer = FileTransfer::Scp;
    settings.answer_timeout = within;
    let ssh = connect(settings).await.unwrap();
    (peer, ssh)
}

/// One that sends this and is done.
fn sends(bytes: &[u8]) -> Option<Copier> {
    Some(Copier {
        says: bytes.to_vec(),
        listens: false,
        code: 0,
        complains: 0,
        stays: false,
    })
}

/// One that answers so and takes what comes.
fn answers(bytes: &[u8], code: u32) -> Option<Copier> {
    Some(Copier {
        says: bytes.to_vec(),
        listens: true,
        code,
        complains: 0,
        stays: false,
    })
}

#[tokio::test]
async fn a_guest_without_scp_is_told_what_it_lacks() {
    let (_peer, ssh) = guest_with(None).await;
    let mut source = &b"x"[..];
    let error = ssh
        .upload(&mut source, None, "/file", None, &Noted::default())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoScp { .. }), "{error}");
    assert!(
        full(&error).ends_with("sh: scp: not found"),
        "{}",
        full(&error)
    );
}

#[tokio::test]
async fn what_the_guest_says_about_an_upload_is_heard() {
    for (said, code, expected) in [
        (&b"\0\0\0"[..], 0, None),
        (
            b"\x01scp: /file: Permission denied\n",
            1,
            Some("cannot create /file in the guest: Permission denied"),
        ),
        (
            b"\0\x01scp: /file: Is a directory\n",
            1,
            Some("cannot create /file in the guest: Is a directory"),
        ),
        (
            b"\0\0\x01scp: /file: No space left on device\n",
            1,
            Some("cannot write /file in the guest: No space left on device"),
        ),
        (
            b"\0\0\x02gone\n",
            1,
            Some("cannot write /file in the guest: gone"),
        ),
        (
            b"\0\0",
            1,
            Some("cannot write /file in the guest: the guest's scp ended before it was done"),
        ),
        (
            b"\0\0\0",
            1,
            Some("cannot write /file in the guest: the guest's scp ended before it was done"),
        ),
        (
            b"Last login: today\n\0\0\0",
            0,
            Some(
                "cannot create /file in the guest: instead of scp's answer came \"Last login: \
                 today\": if the user's shell prints that at each login (.bashrc, .profile), let it \
                 print only at a terminal; if it says that this user may not log in, set another \
                 ssh_username",
            ),
        ),
    ] {
        let mut copier = answers(said, code).unwrap();
        copier.listens = said != b"\0\0";
        let (_peer, ssh) = guest_with(Some(copier)).await;
        let noted = Noted::default();
        let mut source = &b"contents"[..];
        let uploaded = ssh
            .upload(&mut source, None, "/file", None, &noted)
            .await
            .map_err(|error| full(&error));
        assert_eq!(uploaded.err().as_deref(), expected, "{said:?}");
        if expected.is_none() {
            let all = [("/file".to_owned(), Some(8), 8, true)];
            assert_eq!(noted.0.into_inner().unwrap(), all);
        }
    }
}

#[tokio::test]
async fn a_source_of_another_length_is_an_error() {
    let (_peer, ssh) = guest_with(answers(b"\0\0\0", 0)).await;
    for (length, expected) in [
        (7, "it has more than the 7 bytes it was to have"),
        (9, "it ended 1 bytes before its 9 bytes were read"),
    ] {
        let mut source = &b"contents"[..];
        let error = ssh
            .upload(&mut source, Some(length), "/file", None, &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&error).contains(expected), "{}", full(&error));
    }
}

#[tokio::test]
async fn a_hostile_file_is_not_taken() {
    for (bytes, expected) in [
        (&b"C0644 1 a\nx\0C0644 1 b\ny\0"[..], "more came than"),
        (b"D0755 0 a\n", "a folder came where a file"),
        (b"E\n", "a folder came where a file"),
        (b"C0644 x a\n", "a broken head of a file"),
        (b"C0644 5 a\nx", "ended before it was done"),
        (b"C0644 1 a\nx\x01scp: a: I/O error\n", "I/O error"),
        (b"", "ended before it was done"),
        (&[b'C'; 9000], "a line came that is too long"),
        (
            &b"T1 0 1 0\n".repeat(1000),
            "times came that are of nothing",
        ),
        (
            &[&b"C0644 4 a\n"[..], &[b'x'; 100_000]].concat(),
            "a line came that is too long",
        ),
    ] {
        let (_peer, ssh) = guest_with(sends(bytes)).await;
        let error = ssh
            .download("/file", &mut Vec::new(), &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&error).contains(expected), "{}", full(&error));
    }
    let (_peer, ssh) = guest_with(sends(b"T1 0 1 0\nC0644 3 ../other\nabc\0")).await;
    let mut taken = Vec::new();
    let bytes = ssh.download("/file", &mut taken, &Noted::default()).await;
    assert_eq!((bytes.unwrap(), &taken[..]), (3, &b"abc"[..]));
}

#[tokio::test]
async fn a_hostile_folder_stays_in_its_bounds() {
    let mut bottomless = b"D0755 0 tree\n".to_vec();
    bottomless.extend_from_slice(&b"D0755 0 d\n".repeat(200));
    for (bytes, expected) in [
        (
            &b"D0755 0 tree\nC0644 1 ../escape\nx\0E\n"[..],
            "it holds a name that is no file name",
        ),
        (
            b"D0755 0 tree\nD0755 0 ..\nC0644 1 escape\nx\0E\nE\n",
            "it holds a name that is no file name",
        ),
        (
            b"D0755 0 tree\nC0644 1 /etc/escape\nx\0E\n",
            "it holds a name that is no file name",
        ),
        (
            b"D0755 0 tree\nE\nC0644 1 escape\nx\0",
            "more came than the folder",
        ),
        (b"D0755 0 tree\nE\nE\n", "more came than the folder"),
        (b"C0644 1 escape\nx\0", "it is not a folder"),
        (b"E\n", "a folder ended that did not begin"),
        (b"D0755 0 tree\nC0644 9 a\nx", "ended before it was done"),
        (
            b"D0755 0 tree\n\x01scp: /tree/a: Permission denied\nE\n",
            "Permission denied",
        ),
        (&bottomless, "it is nested too deeply"),
        (
            b"D0755 0 tree\nT1 0 1 0\nT1 0 1 0\n",
            "times came that are of nothing",
        ),
    ] {
        let (_peer, ssh) = guest_with(sends(bytes)).await;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let error = ssh
            .download_directory("/tree/", &inner, &[], &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&error).contains(expected), "{}", full(&error));
        let outside = std::fs::read_dir(folder.path()).unwrap().count();
        assert!(outside <= 1, "{expected}: wrote beside the folder");
    }
}

#[tokio::test]
async fn no_link_that_is_there_leads_a_download_out_of_its_folder() {
    for (bytes, is_file) in [
        (&b"D0755 0 tree\nC0644 3 link\nnew\0E\n"[..], true),
        (
            b"D0755 0 tree\nD0755 0 link\nC0644 3 new\nnew\0E\nE\n",
            false,
        ),
    ] {
        let (_peer, ssh) = guest_with(sends(bytes)).await;
        let outer = LinkedOut::new(is_file);
        let downloaded = ssh
            .download_directory("/tree/", &outer.folder(), &[], &Noted::default())
            .await;
        outer.check(downloaded, is_file);
    }
    // Nor does one in the place of the folder itself.
    let (_peer, ssh) = guest_with(sends(b"D0755 0 link\nC0644 3 new\nnew\0E\n")).await;
    let outer = LinkedOut::new(false);
    let downloaded = ssh
        .download_directory("/some/link", &outer.folder(), &[], &Noted::default())
        .await;
    outer.check(downloaded, false);
}

#[tokio::test]
async fn a_guest_gives_nobody_rights_that_the_umask_takes_away() {
    use std::os::unix::fs::PermissionsExt;
    let bytes = b"D0777 0 tree\nC0777 1 file\nx\0D0777 0 inner\nC0666 1 file\nx\0E\nE\n";
    let (_peer, ssh) = guest_with(sends(bytes)).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    ssh.download_directory("/tree", folder.path(), &[], &Noted::default())
        .await
        .unwrap();
    std::fs::write(at("usual"), "").unwrap();
    std::fs::create_dir(at("usual folder")).unwrap();
    let mode = |name: &str| at(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("tree"), mode("usual folder"));
    assert_eq!(mode("tree/inner"), mode("usual folder"));
    assert_eq!(mode("tree/inner/file"), mode("usual"));
    // What may be read may be run.
    assert_eq!(mode("tree/file"), mode("usual folder"));
}

#[tokio::test]
async fn what_is_left_out_is_not_written() {
    let bytes = b"D0755 0 elsewhere\nC0644 1 a.o\nx\0D0755 0 build\nC0644 1 a\ny\0\
                  \x01scp: /tree/build/b: Permission denied\nE\nC4755 1 kept\nz\0E\n";
    let (_peer, ssh) = guest_with(sends(bytes)).await;
    let folder = tempfile::tempdir().unwrap();
    let exclude = ["*.o".to_owned(), "build".to_owned()];
    ssh.download_directory("/tree", folder.path(), &exclude, &Noted::default())
        .await
        .unwrap();
    let tree = folder.path().join("tree");
    let names: Vec<_> = std::fs::read_dir(&tree)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["kept"]);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(tree.join("kept")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o7777, 0o755, "no set-user-id bit comes over");
}

#[tokio::test]
async fn a_guest_that_stops_in_the_middle_is_not_waited_for() {
    for says in [
        &b""[..],
        b"T1 0 1 0\n",
        b"C0644 4 a\n",
        b"C0644 4 a\nx",
        b"C0644 4 a\nxxxx",
        b"C0644 4 a\nxxxx\0",
    ] {
        let stays = Copier {
            stays: true,
            ..sends(says).unwrap()
        };
        let (_peer, ssh) = guest_that_answers(Some(stays), SOON).await;
        let error = ssh
            .download("/file", &mut Vec::new(), &Noted::default())
            .await
            .unwrap_err();
        assert!(full(&error).contains("no answer"), "{}", full(&error));
    }
    let mute = Copier {
        stays: true,
        ..sends(b"").unwrap()
    };
    let (_peer, ssh) = guest_that_answers(Some(mute), SOON).await;
    // More than fits into the channel.
    let mut source = tokio::io::repeat(7);
    let error = ssh
        .upload(&mut source, Some(1 << 30), "/file", None, &Noted::default())
        .await
        .unwrap_err();
    assert!(full(&error).contains("no answer"), "{}", full(&error));
}

#[tokio::test]
async fn a_guest_does_not_complain_for_ever() {
    let complains = |complains| Copier {
        complains,
        ..sends(b"C0644 1 a\nx\0").unwrap()
    };
    for (bytes, works) in [(100_000, true), (64 << 20, false)] {
        let (_peer, ssh) = guest_with(Some(complains(bytes))).await;
        let mut taken = Vec::new();
        let result = ssh.download("/file", &mut taken, &Noted::default()).await;
        let message = result.map_err(|error| full(&error));
        assert_eq!(message.is_ok(), works, "{message:?}");
        if let Err(message) = message {
            assert!(message.contains("does not stop complaining"), "{message}");
        }
    }
}

#[tokio::test]
async fn a_file_that_comes_in_half_leaves_what_was_there() {
    for bytes in [
        // The connection ends in the middle, and the guest says that it could not read on.
        &b"D0755 0 tree\nC0644 8 file\nhalf"[..],
        b"D0755 0 tree\nC0644 8 file\nhalfhalf\x01scp: file: Input/output error\n",
    ] {
        for before in [Some("precious"), None] {
            let (_peer, ssh) = guest_with(sends(bytes)).await;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("file");
            if let Some(text) = before {
                std::fs::write(&file, text).unwrap();
            }
            ssh.download_directory("/tree/", folder.path(), &[], &Noted::default())
                .await
                .unwrap_err();
            assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), before);
            let names = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(names, usize::from(before.is_some()), "no half file is left");
        }
    }
}
