//! What is asked of servers, and what they answer.

use crate::bindings::lvhost::source::requests as wit;
use crate::bindings::lvhost::source::types::Secret as WitSecret;

/// One of the user's secrets. A source can't read it; a [`Request`] can carry it.
pub struct Secret(pub(crate) SecretHandle);

pub(crate) enum SecretHandle {
    Host(WitSecret),
    #[cfg(not(target_family = "wasm"))]
    Fake(String),
}

impl Secret {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            SecretHandle::Host(secret) => secret.name(),
            #[cfg(not(target_family = "wasm"))]
            SecretHandle::Fake(name) => name.clone(),
        }
    }
}

/// What is wanted of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// What the URL names.
    #[default]
    Get,
    /// The headers of that alone.
    Head,
    /// To send something, which needs a [`Grant::Post`](crate::Grant::Post).
    Post,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// A header of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// A name and a value.
    Text(String, String),
    /// A name, what stands before the secret, and the secret's name.
    Secret(String, String, String),
    /// A user's name, and the name of the secret that is the password.
    LogIn(String, String),
}

/// A request for [`Host::download`](crate::Host::download) or [`Host::ask`](crate::Host::ask).
///
/// ```
/// use lvhost_plugin_sdk::Request;
/// let request = Request::new(["https://example.org/image"]).checksum("sha256:…");
/// assert_eq!(request.urls, ["https://example.org/image"]);
/// ```
#[derive(Default)]
pub struct Request<'a> {
    /// Tried in this order until one works. They are written as users write them: of their query `archive=`,
    /// `checksum=` and `filename=` are lvhost's and don't reach the server.
    pub urls: Vec<String>,
    /// For a download: `sha256:…`, bare hexadecimal digits, `none`. Nothing is checked if there is none.
    pub checksum: Option<String>,
    /// For a question.
    pub method: Method,
    /// What is sent by `POST`, at most 1 MiB.
    pub body: Vec<u8>,
    headers: Vec<RequestHeader<'a>>,
}

enum RequestHeader<'a> {
    Text(String, String),
    Secret(String, String, &'a Secret),
    LogIn(String, &'a Secret),
}

impl<'a> Request<'a> {
    /// A request for what these URLs name.
    #[must_use]
    pub fn new<T: Into<String>>(urls: impl IntoIterator<Item = T>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// What a download must be.
    #[must_use]
    pub fn checksum(mut self, checksum: impl Into<String>) -> Self {
        self.checksum = Some(checksum.into());
        self
    }

    /// Adds a header. `Host`, `Content-Length` and others that decide where a request goes and where it ends are
    /// lvhost's alone. Where a redirect leads to another scheme, host or port, only what says which content is wanted
    /// goes along.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let header = RequestHeader::Text(name.into(), value.into());
        self.headers.push(header);
        self
    }

    /// Adds a header whose value is `prefix`, such as `Bearer `, and a secret. It goes to the addresses that the user
    /// has named for it.
    #[must_use]
    pub fn secret_header(
        mut self,
        name: impl Into<String>,
        prefix: impl Into<String>,
        secret: &'a Secret,
    ) -> Self {
        let header = RequestHeader::Secret(name.into(), prefix.into(), secret);
        self.headers.push(header);
        self
    }

    /// Adds `Authorization` by a name and a secret, which is the password.
    #[must_use]
    pub fn log_in(mut self, user: impl Into<String>, password: &'a Secret) -> Self {
        self.headers
            .push(RequestHeader::LogIn(user.into(), password));
        self
    }

    /// Sends something by `POST`.
    #[must_use]
    pub fn post(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.method = Method::Post;
        self.body = body.into();
        self
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> Vec<Header> {
        let headers = self.headers.iter().map(|header| match header {
            RequestHeader::Text(name, value) => Header::Text(name.clone(), value.clone()),
            RequestHeader::Secret(name, prefix, secret) => {
                Header::Secret(name.clone(), prefix.clone(), secret.name())
            }
            RequestHeader::LogIn(user, secret) => Header::LogIn(user.clone(), secret.name()),
        });
        headers.collect()
    }

    pub(crate) fn to_wit(&self) -> wit::Request {
        let request = wit::Request::new(&self.urls);
        if let Some(checksum) = &self.checksum {
            request.checksum(checksum);
        }
        if self.method != Method::default() {
            request.method(self.method.name());
        }
        if !self.body.is_empty() {
            request.body(&self.body);
        }
        for header in &self.headers {
            match header {
                RequestHeader::Text(name, value) => request.header(name, value),
                RequestHeader::Secret(name, prefix, secret) => {
                    if let Some(secret) = secret.of_host() {
                        request.secret_header(name, prefix, secret);
                    }
                }
                RequestHeader::LogIn(user, secret) => {
                    if let Some(secret) = secret.of_host() {
                        request.log_in(user, secret);
                    }
                }
            }
        }
        request
    }
}

impl Secret {
    fn of_host(&self) -> Option<&WitSecret> {
        match &self.0 {
            SecretHandle::Host(secret) => Some(secret),
            #[cfg(not(target_family = "wasm"))]
            SecretHandle::Fake(_) => None,
        }
    }
}

/// What a server has answered, whatever its status.
pub struct Answer(pub(crate) AnswerHandle);

pub(crate) enum AnswerHandle {
    Host(wit::Answer),
    #[cfg(not(target_family = "wasm"))]
    Fake(crate::testing::FakeAnswer),
}

impl Answer {
    /// Three digits, such as 200 and 404.
    #[must_use]
    pub fn status(&self) -> u16 {
        match &self.0 {
            AnswerHandle::Host(answer) => answer.status(),
            #[cfg(not(target_family = "wasm"))]
            AnswerHandle::Fake(answer) => answer.status,
        }
    }

    /// The values of all headers of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        match &self.0 {
            AnswerHandle::Host(answer) => answer.header(name),
            #[cfg(not(target_family = "wasm"))]
            AnswerHandle::Fake(answer) => answer.header(name),
        }
    }

    /// The whole body, at most 4 MiB.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        match &self.0 {
            AnswerHandle::Host(answer) => answer.body(),
            #[cfg(not(target_family = "wasm"))]
            AnswerHandle::Fake(answer) => answer.body.clone(),
        }
    }
}
