//! The netrc file: names and passwords by host, as `curl`, `wget` and go-getter take them.
//!
//! ```text
//! machine HOST login NAME password PASSWORD
//! default login NAME password PASSWORD
//! ```
//!
//! Words are separated by white space, line breaks included; a word in double quotes may have
//! spaces and escapes in it, `#` at the start of a word makes the rest of the line a comment, and
//! `macdef NAME` is followed by lines that are passed over, up to an empty one.
//! <https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html>

use std::iter::Peekable;
use std::net::Ipv6Addr;
use std::str::Chars;

use secrecy::SecretString;
use thiserror::Error;
use url::Host;

/// The names and passwords of a netrc file.
#[derive(Clone, Debug, Default)]
pub struct Netrc {
    machines: Vec<(String, Login)>,
    default: Option<Login>,
}

/// One host's name and password.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) password: Option<SecretString>,
}

/// A netrc file that can't be understood. What stands in it is not repeated: it may be a password.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct NetrcError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

impl Netrc {
    /// Reads the text of a netrc file.
    ///
    /// # Errors
    /// A word that is none of the format's, or one without what must follow.
    pub fn parse(text: &str) -> Result<Self, NetrcError> {
        let mut words = Words::new(text);
        let mut netrc = Self::default();
        // Whose login is being read: a machine's by its index, or the default.
        let mut current: Option<Option<usize>> = None;
        while let Some(word) = words.next()? {
            match word.as_str() {
                "machine" => {
                    let host = words.value("`machine` without a host")?;
                    netrc.machines.push((settled(&host), Login::default()));
                    current = Some(Some(netrc.machines.len() - 1));
                }
                "default" => {
                    netrc.default = Some(Login::default());
                    current = Some(None);
                }
                "macdef" => {
                    words.value("`macdef` without a name")?;
                    words.skip_macro();
                }
                "login" | "user" | "password" | "account" => {
                    let value = words.value("a word that must be followed by its value")?;
                    let login = match current {
                        Some(Some(index)) => netrc.machines.get_mut(index).map(|(_, login)| login),
                        Some(None) => netrc.default.as_mut(),
                        None => None,
                    };
                    let Some(login) = login else {
                        return Err(words.error("a login before any `machine`"));
                    };
                    match word.as_str() {
                        "password" => login.password = Some(value.into()),
                        "account" => {}
                        _ => login.name = value,
                    }
                }
                _ => return Err(words.error("a word that is none of netrc's")),
            }
        }
        Ok(netrc)
    }

    /// The first login for a host.
    pub(crate) fn machine(&self, host: &str) -> Option<&Login> {
        let host = settled(host);
        let mut machines = self.machines.iter();
        let own = machines.find(|(machine, _)| *machine == host);
        own.map(|(_, login)| login)
    }

    /// The login for hosts that have none of their own.
    pub(crate) fn for_all_others(&self) -> Option<&Login> {
        self.default.as_ref()
    }
}

/// The one spelling of a host: a URL has another one than people write for names that are not in ASCII and
/// for addresses. A host in another spelling would not be found, and get what is for all others.
fn settled(host: &str) -> String {
    let host = host.trim_end_matches('.');
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => Host::parse(host).map_or_else(|_| host.to_lowercase(), |host| host.to_string()),
    }
}

impl Login {
    /// Whether it says neither who nor with what.
    pub(crate) fn is_empty(&self) -> bool {
        self.name.is_empty() && self.password.is_none()
    }
}

/// The words of a file, with the line they are on.
struct Words<'a> {
    characters: Peekable<Chars<'a>>,
    line: usize,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            characters: text.chars().peekable(),
            line: 1,
        }
    }

    fn error(&self, problem: &'static str) -> NetrcError {
        NetrcError {
            line: self.line,
            problem,
        }
    }

    fn character(&mut self) -> Option<char> {
        let next = self.characters.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn skip_line(&mut self) -> String {
        let mut line = String::new();
        while let Some(character) = self.character().filter(|character| *character != '\n') {
            line.push(character);
        }
        line
    }

    /// The next word; `None` at the end.
    fn next(&mut self) -> Result<Option<String>, NetrcError> {
        loop {
            match self.characters.peek() {
                None => return Ok(None),
                Some('#') => {
                    self.skip_line();
                }
                Some('"') => return self.quoted().map(Some),
                Some(space) if space.is_whitespace() => {
                    self.character();
                }
                Some(_) => return Ok(Some(self.plain())),
            }
        }
    }

    /// The value after a keyword. A `#` begins one: passwords may.
    fn value(&mut self, missing: &'static str) -> Result<String, NetrcError> {
        while self
            .characters
            .peek()
            .is_some_and(|next| next.is_whitespace())
        {
            self.character();
        }
        match self.characters.peek() {
            None => Err(self.error(missing)),
            Some('"') => self.quoted(),
            Some(_) => Ok(self.plain()),
        }
    }

    fn plain(&mut self) -> String {
        let mut word = String::new();
        while let Some(next) = self.characters.next_if(|next| !next.is_whitespace()) {
            word.push(next);
        }
        word
    }

    fn quoted(&mut self) -> Result<String, NetrcError> {
        self.character();
        let begun = self.line;
        let mut word = String::new();
        loop {
            match self.character() {
                Some('"') => return Ok(word),
                Some('\\') => word.extend(self.character()),
                Some(other) => word.push(other),
                None => {
                    return Err(NetrcError {
                        line: begun,
                        problem: "a quotation mark that is not closed",
                    });
                }
            }
        }
    }

    fn skip_macro(&mut self) {
        self.skip_line();
        while self.characters.peek().is_some() && !self.skip_line().trim().is_empty() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn login(text: &str, host: &str) -> Option<(String, Option<String>)> {
        let netrc = Netrc::parse(text).unwrap();
        let login = netrc.machine(host).or(netrc.for_all_others())?;
        if login.is_empty() {
            return None;
        }
        let password = login.password.as_ref();
        Some((
            login.name.clone(),
            password.map(|password| password.expose_secret().to_owned()),
        ))
    }

    #[test]
    fn logins_are_found_by_host() {
        let own = Some(("me".to_owned(), Some("s3cret".to_owned())));
        let texts = [
            "machine h login me password s3cret",
            "machine other login x password y\nmachine h\n\tlogin me\n\tpassword s3cret\n",
            "machine H user me account a password s3cret machine h login second password z",
            "# mine\nmachine h # this\nlogin me password s3cret # that\n",
            "macdef init\ncd /\nls\n\nmachine h login me password s3cret",
            "machine h login \"me\" password \"s3\\cret\"",
            "default login no password no\nmachine h login me password s3cret",
        ];
        for text in texts {
            assert_eq!(login(text, "h"), own, "{text}");
        }
        assert_eq!(login(texts[0], "other"), None);
        assert_eq!(login("", "h"), None);
        assert_eq!(login("machine h", "h"), None);
        let default = Some(("no".to_owned(), Some("no".to_owned())));
        assert_eq!(login(texts[6], "other"), default);
        let odd = Some(("me".to_owned(), Some("#a b".to_owned())));
        assert_eq!(login("machine h login me password \"#a b\"", "h"), odd);
        let odd = Some(("me".to_owned(), Some("#ab".to_owned())));
        assert_eq!(login("machine h login me password #ab", "h"), odd);
    }

    #[test]
    fn a_host_is_found_in_every_spelling_and_gets_nothing_that_is_for_others() {
        for (written, of_a_url) in [
            ("h.example", "https://H.Example./"),
            ("h.example.", "https://h.example/"),
            ("bücher.example", "https://bücher.example/"),
            ("BÜCHER.example", "https://xn--bcher-kva.example./"),
            ("xn--bcher-kva.example", "https://bücher.example/"),
            ("127.0.0.1", "https://0x7f.1/"),
            ("::1", "https://[::1]/"),
            ("[0:0::1]", "https://[::1]/"),
            ("nas", "smb://NAS/s/a"),
            ("h_h", "https://h_h/"),
        ] {
            let text = format!("default login no password no machine {written} login me");
            let url = crate::SafeUrl::parse(of_a_url).unwrap();
            let own = Some(("me".to_owned(), None));
            assert_eq!(login(&text, url.host().unwrap()), own, "{written} {url}");
        }
        let text = "machine h login me password s3cret";
        for other in ["h.h", "hh", ".h", "h..h", ""] {
            assert_eq!(login(text, other), None, "{other}");
        }
    }

    #[test]
    fn mistakes_are_named_by_line_and_show_nothing() {
        let cases = [
            (
                "machine h login me password hunter2 hunter2",
                1,
                "none of netrc's",
            ),
            ("machine h\nlogin", 2, "followed by its value"),
            ("\n\nlogin hunter2", 3, "before any `machine`"),
            ("machine", 1, "without a host"),
            ("machine h\npassword \"hunter2\n\n", 2, "not closed"),
        ];
        for (text, line, problem) in cases {
            let error = Netrc::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().contains(problem), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn passwords_do_not_show() {
        let netrc = Netrc::parse("machine h login me password hunter2").unwrap();
        assert!(!format!("{netrc:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = Netrc::parse(&text);
        }
    }
}
