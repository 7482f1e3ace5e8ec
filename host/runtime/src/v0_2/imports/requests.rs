//! What is asked of servers, and what they answer.

use bytes::Bytes;
use wasmtime::component::Resource;

use super::super::bindings::requests as wit;
use super::types::SecretHandle;
use crate::state::State;
use crate::types::{Header, WebRequest};

/// A request in the making, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct RequestHandle {
    pub(super) request: WebRequest,
    pub(super) checksum: Option<String>,
    /// As the component has written it; `GET` if it has not.
    pub(super) method: Option<String>,
    pub(super) body: Bytes,
}

/// A server's answer, as a component holds it.
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export it inside this crate"
)]
pub struct AnswerHandle {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl AnswerHandle {
    pub(super) fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        headers.fold(self.body.len(), |sum, (name, value)| {
            sum + name.len() + value.len()
        })
    }
}

type Request = Resource<RequestHandle>;
type Answer = Resource<AnswerHandle>;

impl State {
    fn add_header(&mut self, request: &Request, header: Header) -> wasmtime::Result<()> {
        self.table.get_mut(request)?.request.headers.push(header);
        Ok(())
    }

    fn secret_name(&self, secret: &Resource<SecretHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(secret)?.0.clone())
    }
}

impl wit::Host for State {}

impl wit::HostRequest for State {
    async fn new(&mut self, urls: Vec<String>) -> wasmtime::Result<Request> {
        Ok(self.table.push(RequestHandle {
            request: WebRequest {
                urls,
                headers: Vec::new(),
            },
            checksum: None,
            method: None,
            body: Bytes::new(),
        })?)
    }

    async fn checksum(&mut self, request: Request, checksum: String) -> wasmtime::Result<()> {
        self.table.get_mut(&request)?.checksum = Some(checksum);
        Ok(())
    }

    async fn header(
        &mut self,
        request: Request,
        name: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.add_header(&request, Header::Text { name, value })
    }

    async fn secret_header(
        &mut self,
        request: Request,
        name: String,
        prefix: String,
        secret: Resource<SecretHandle>,
    ) -> wasmtime::Result<()> {
        let secret = self.secret_name(&secret)?;
        self.add_header(
            &request,
            Header::Secret {
                name,
                prefix,
                secret,
            },
        )
    }

    async fn log_in(
        &mut self,
        request: Request,
        user: String,
        password: Resource<SecretHandle>,
    ) -> wasmtime::Result<()> {
        let secret = self.secret_name(&password)?;
        self.add_header(&request, Header::LogIn { user, secret })
    }

    async fn method(&mut self, request: Request, method: String) -> wasmtime::Result<()> {
        self.table.get_mut(&request)?.method = Some(method);
        Ok(())
    }

    async fn body(&mut self, request: Request, bytes: Vec<u8>) -> wasmtime::Result<()> {
        self.table.get_mut(&request)?.body = bytes.into();
        Ok(())
    }

    async fn drop(&mut self, request: Request) -> wasmtime::Result<()> {
        self.table.delete(request)?;
        Ok(())
    }
}

impl wit::HostAnswer for State {
    async fn status(&mut self, answer: Answer) -> wasmtime::Result<u16> {
        Ok(self.table.get(&answer)?.status)
    }

    async fn header(&mut self, answer: Answer, name: String) -> wasmtime::Result<Vec<String>> {
        let headers = self.table.get(&answer)?.headers.iter();
        let of_that_name = headers.filter(|(found, _)| found.eq_ignore_ascii_case(&name));
        Ok(of_that_name.map(|(_, value)| value.clone()).collect())
    }

    async fn body(&mut self, answer: Answer) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table.get(&answer)?.body.to_vec())
    }

    async fn drop(&mut self, answer: Answer) -> wasmtime::Result<()> {
        let answer = self.table.delete(answer)?;
        self.collected.give_up(answer.bytes());
        Ok(())
    }
}
