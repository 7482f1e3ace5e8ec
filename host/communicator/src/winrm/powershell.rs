//! The PowerShell that moves files: what is run in the guest, and the lines that it speaks.
//!
//! A transfer is one process in the guest, whatever the number of files. Bytes go over as lines, in
//! either direction:
//!
//! ```text
//!   /NAME     a folder
//!   >NAME     a file begins
//!   +BYTES    a piece of it
//!   .DIGEST   it is complete; the SHA-256 comes from the guest
//! ```
//! NAME is the path below the transfer's root, with slashes and empty for the root itself, in UTF-8;
//! NAME and BYTES are in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes of a file in one line.
pub(super) const LINE_BYTES: usize = 24 * 1024;

const SETTINGS: &str = "$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue'";

/// A line of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// A folder's path.
    Folder(String),
    /// A file's path.
    File(String),
    /// Bytes of the file.
    Bytes(Vec<u8>),
    /// The end of the file, with its digest in hexadecimal where the guest says it.
    End(String),
}

impl Line {
    /// As it is sent, with its line's end.
    pub(super) fn encode(&self) -> String {
        let (mark, rest) = match self {
            Self::Folder(name) => ('/', STANDARD.encode(name)),
            Self::File(name) => ('>', STANDARD.encode(name)),
            Self::Bytes(bytes) => ('+', STANDARD.encode(bytes)),
            Self::End(digest) => ('.', digest.clone()),
        };
        format!("{mark}{rest}\r\n")
    }

    /// Reads a line of the guest's; `None` if it is none.
    pub(super) fn decode(line: &str) -> Option<Self> {
        let line = line.trim();
        let (mark, rest) = line.split_at_checked(1)?;
        let bytes = || STANDARD.decode(rest).ok();
        let name = || String::from_utf8(bytes()?).ok();
        Some(match mark {
            "/" => Self::Folder(name()?),
            ">" => Self::File(name()?),
            "+" => Self::Bytes(bytes()?),
            "." => Self::End(rest.to_ascii_lowercase()),
            _ => return None,
        })
    }
}

/// The command line that runs a script. Scripts have to be short: Windows takes 8,191 characters,
/// and each of the script's becomes almost three.
pub(super) fn command_line(script: &str) -> String {
    let utf16: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    format!(
        "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand {}",
        STANDARD.encode(utf16)
    )
}

/// Reads lines from its input and writes files and folders at or below `destination`. Says the
/// digest of each file when it is complete.
pub(super) fn receiver(destination: &str) -> String {
    format!(
        "begin{{{SETTINGS}\n\
         $root=[IO.Path]::GetFullPath({root});$file=$null\n\
         $sha=[Security.Cryptography.SHA256]::Create()\n\
         function at($name){{if($name){{[IO.Path]::Combine($root,[Text.Encoding]::UTF8.GetString(\
         [Convert]::FromBase64String($name)))}}else{{$root}}}}}}\n\
         process{{$line=\"$input\".Trim();if($line){{$rest=$line.Substring(1)\n\
         switch($line.Substring(0,1)){{\n\
         '/'{{[void][IO.Directory]::CreateDirectory((at $rest))}}\n\
         '>'{{$path=at $rest;[void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))\n\
         $file=[IO.File]::Create($path);$sha.Initialize()}}\n\
         '+'{{$bytes=[Convert]::FromBase64String($rest);$file.Write($bytes,0,$bytes.Length)\n\
         [void]$sha.TransformBlock($bytes,0,$bytes.Length,$bytes,0)}}\n\
         '.'{{$file.Close();$file=$null;[void]$sha.TransformFinalBlock((New-Object byte[] 0),0,0)\n\
         [Console]::Out.WriteLine('.'+[BitConverter]::ToString($sha.Hash).Replace('-',''))}}}}}}}}\n\
         end{{if($file){{$file.Close();throw 'the input ended within a file'}}}}",
        root = quoted(destination)
    )
}

/// Writes the file `source`, or with `folder` all that is in it, to its output.
pub(super) fn sender(source: &str, folder: bool) -> String {
    let all = if folder {
        "$start=$root.TrimEnd('\\').Length+1\n\
         Get-ChildItem -LiteralPath $root -Recurse -Force|ForEach-Object{\
         $name=$_.FullName.Substring($start).Replace('\\','/')\n\
         if($_.PSIsContainer){say('/'+(code $name))}else{send $_.FullName $name}}"
    } else {
        "send $root ''"
    };
    format!(
        "{SETTINGS}\n\
         $root=[IO.Path]::GetFullPath({root});$sha=[Security.Cryptography.SHA256]::Create()\n\
         function say($line){{[Console]::Out.WriteLine($line)}}\n\
         function code($name){{[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($name))}}\n\
         function send($path,$name){{$file=[IO.File]::OpenRead($path);say('>'+(code $name))\n\
         $sha.Initialize();$bytes=New-Object byte[] {LINE_BYTES}\n\
         while(($n=$file.Read($bytes,0,$bytes.Length)) -gt 0){{\
         say('+'+[Convert]::ToBase64String($bytes,0,$n))\n\
         [void]$sha.TransformBlock($bytes,0,$n,$bytes,0)}}\n\
         $file.Close();[void]$sha.TransformFinalBlock($bytes,0,0)\n\
         say('.'+[BitConverter]::ToString($sha.Hash).Replace('-',''))}}\n{all}",
        root = quoted(source)
    )
}

/// A path as PowerShell's text. Variables in it are the guest's to fill in, as in Packer's own
/// `${env:SYSTEMROOT}/Temp/script.ps1`; quotes around it are Packer's habit.
fn quoted(path: &str) -> String {
    let mut quoted = String::from("\"");
    for character in path.trim_matches('\'').chars() {
        if matches!(character, '"' | '`') {
            quoted.push('`');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_keep_their_variables_and_lose_their_power() {
        for (path, expected) in [
            ("c:/Windows/Temp/a.ps1", r#""c:/Windows/Temp/a.ps1""#),
            ("${env:TEMP}/a b", r#""${env:TEMP}/a b""#),
            ("'c:/a'", r#""c:/a""#),
            (r#"a"; rm b"#, r#""a`"; rm b""#),
        ] {
            assert_eq!(quoted(path), expected);
        }
    }

    #[test]
    fn scripts_fit_into_a_command_line() {
        let path = "c:/Users/Administrator/AppData/Local/Temp/".repeat(4);
        for script in [receiver(&path), sender(&path, true), sender(&path, false)] {
            let length = command_line(&script).len();
            assert!(length < 8191, "{length}: {script}");
            // What PowerShell reads has as many closing braces as opening ones.
            let count = |brace| script.matches(brace).count();
            assert_eq!(count('{'), count('}'), "{script}");
            assert_eq!(count('('), count(')'), "{script}");
        }
    }

    #[test]
    fn an_encoded_command_is_utf_16() {
        assert!(command_line("dir").ends_with(" ZABpAHIA"));
    }

    proptest! {
        #[test]
        fn lines_come_back(name in ".{0,20}", bytes: Vec<u8>) {
            for line in [Line::Folder(name.clone()), Line::File(name), Line::Bytes(bytes)] {
                prop_assert_eq!(Line::decode(&line.encode()), Some(line));
            }
        }

        #[test]
        fn any_line_is_one_or_none(line in ".{0,40}") {
            let _ = Line::decode(&line);
        }
    }
}
