//! Which rule of an `allow` block allows something, and what the rule allows beyond it.

use lvhost_fetch::SafeUrl;
use lvhost_runtime::Grant;

use super::{Allowed, HostRule, Target, folder, is_below, is_covered, is_download, quoted};

/// A rule of an `allow` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// As a line of the block.
    pub line: String,
    /// What it allows besides what it was asked about; `None` if nothing.
    pub beyond: Option<&'static str>,
}

const BELOW: &str = "everything below it";

impl Allowed {
    /// The rule that allows what is asked for by `grant`, if it is allowed.
    pub(crate) fn rule_for(&self, grant: &Grant) -> Option<Rule> {
        match grant {
            Grant::Url(file) => match Target::parse(&file.url)? {
                Target::Web(url) => self.rule_for_url(&url),
                Target::File(path) => self.rule_for_files(&path),
            },
            Grant::UrlsBelow(text) => self.rule_for_url(&folder(text)?),
            Grant::Files(pattern) => self.rule_for_files(pattern),
            Grant::Volume(id) => {
                let mut rules = self.volumes.iter();
                let rule = rules.find(|rule| {
                    rule.pool == id.pool && rule.name.as_ref().is_none_or(|name| *name == id.name)
                })?;
                Some(Rule {
                    line: line("volumes", &rule.to_string()),
                    beyond: rule.name.is_none().then_some("every volume of the pool"),
                })
            }
            Grant::HypervisorPath(path) => {
                let mut rules = self.hypervisor_paths.iter();
                let rule = rules.find(|rule| {
                    *rule == path || (rule.ends_with('/') && path.starts_with(*rule))
                })?;
                Some(Rule {
                    line: line("hypervisor_paths", rule),
                    beyond: rule.ends_with('/').then_some(BELOW),
                })
            }
            Grant::Post(text) => match Target::parse(text)? {
                Target::Web(url) => self.rule_for_post(&url),
                Target::File(_) => None,
            },
            Grant::Secret(name) => self.secrets.contains(name).then(|| Rule {
                line: line("secrets", name),
                beyond: None,
            }),
        }
    }

    pub(super) fn rule_for_post(&self, url: &SafeUrl) -> Option<Rule> {
        let mut rules = self.posts.iter();
        let rule = rules.find(|rule| is_download(url) && is_covered(url, rule))?;
        let is_folder = rule.expose().path().ends_with('/');
        Some(Rule {
            line: line("posts", &rule.to_string()),
            beyond: is_folder.then_some(BELOW),
        })
    }

    pub(super) fn rule_for_url(&self, url: &SafeUrl) -> Option<Rule> {
        if !is_download(url) {
            return None;
        }
        if let Some(rule) = self.urls.iter().find(|rule| is_covered(url, rule)) {
            let is_folder = rule.expose().path().ends_with('/');
            let is_all = rule.expose().path() == url.expose().path();
            return Some(Rule {
                line: line("urls", &rule.to_string()),
                beyond: (is_folder && !is_all).then_some(BELOW),
            });
        }
        let rule = self.hosts.iter().find(|rule| rule.covers(url))?;
        Some(Rule {
            line: line("hosts", &rule.to_string()),
            beyond: Some(match rule {
                HostRule::Any => {
                    "everything on every server, but for those that only this machine reaches"
                }
                HostRule::Below(_) => "everything on every server of that domain",
                HostRule::One { .. } => "everything on that server",
            }),
        })
    }

    fn rule_for_files(&self, asked: &str) -> Option<Rule> {
        let rule = self.file_rule(asked)?;
        Some(Rule {
            line: line("files", rule),
            beyond: (rule != asked).then_some(BELOW),
        })
    }

    /// The path or folder that allows a path or pattern of files.
    pub(super) fn file_rule(&self, asked: &str) -> Option<&str> {
        let base = &self.working_directory;
        let mut rules = self.files.iter().map(String::as_str);
        rules.find(|rule| {
            *rule == asked || (rule.ends_with('/') && is_below(&base.join(asked), &base.join(rule)))
        })
    }

    /// The lines for the rules that allow none of `grants`.
    pub(crate) fn unused_lines(&self, grants: &[Grant]) -> Vec<String> {
        let used: Vec<_> = grants
            .iter()
            .filter_map(|grant| self.rule_for(grant))
            .collect();
        let urls = self.urls.iter().map(|rule| line("urls", &rule.to_string()));
        let hosts = self
            .hosts
            .iter()
            .map(|rule| line("hosts", &rule.to_string()));
        let files = self.files.iter().map(|rule| line("files", rule));
        let volumes = self.volumes.iter();
        let volumes = volumes.map(|rule| line("volumes", &rule.to_string()));
        let paths = self.hypervisor_paths.iter();
        let paths = paths.map(|rule| line("hypervisor_paths", rule));
        let keys = self
            .aws_credentials
            .then(|| "aws_credentials = true".to_owned());
        let all = urls.chain(hosts).chain(files).chain(volumes).chain(paths);
        let posts = self.posts.iter();
        let posts = posts.map(|rule| line("posts", &rule.to_string()));
        let secrets = self.secrets.iter().map(|name| line("secrets", name));
        let all = all.chain(keys).chain(posts).chain(secrets);
        all.filter(|line| used.iter().all(|rule| rule.line != *line))
            .collect()
    }
}

fn line(option: &str, text: &str) -> String {
    format!("{option} = [{}]", quoted(text))
}
