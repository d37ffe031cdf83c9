//! What `serve` says once it is ready. Keys are shown only while nobody but this machine can connect.

use std::io::Write;
use std::path::Path;

use domain::secret::Secret;
use serde_json::{Map, Value, json};

/// A project and the keys of its clients.
pub(super) struct Shown {
    /// Its ref.
    pub(super) reference: String,
    /// A name for people.
    pub(super) name: String,
    /// What `createClient` takes.
    pub(super) url: String,
    /// `compat` or `shield`.
    pub(super) profile: String,
    /// As the Management API says it.
    pub(super) status: &'static str,
    /// Keys and secrets by the name of their member; the JWT secret only when the project was just made.
    pub(super) keys: Vec<(&'static str, Secret<String>)>,
}

/// Where everything is.
pub(super) struct Banner<'a> {
    pub(super) url: &'a str,
    pub(super) admin_url: &'a str,
    /// `None` where the first run's token was revoked and no other was put there.
    pub(super) token_file: Option<&'a Path>,
    pub(super) mailbox_url: Option<&'a str>,
    pub(super) project: Option<Shown>,
    /// Whether the listener is on loopback.
    pub(super) local: bool,
}

impl Banner<'_> {
    /// Prints it on stdout: one JSON line, or lines for people.
    pub(super) fn print(&self, json: bool) -> std::io::Result<()> {
        let text = if json { self.json().to_string() } else { self.text() };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    fn json(&self) -> Value {
        let project = self.project.as_ref().map(|project| {
            let mut members = Map::new();
            let facts = [("ref", &project.reference), ("name", &project.name), ("url", &project.url)];
            members.extend(facts.map(|(name, value)| (name.to_owned(), value.as_str().into())));
            if self.local {
                let keys = project.keys.iter();
                members.extend(keys.map(|(name, key)| ((*name).to_owned(), key.expose().as_str().into())));
            }
            members.insert("profile".to_owned(), project.profile.as_str().into());
            members.insert("status".to_owned(), project.status.into());
            members
        });
        json!({
            "url": self.url,
            "admin_url": self.admin_url,
            "token_file": self.token_file,
            "project": project,
            "mailbox_url": self.mailbox_url,
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("Tenantry {} is ready at {}", env!("CARGO_PKG_VERSION"), self.url), String::new()];
        let mut line = |name: &str, value: &str| lines.push(format!("  {name:<17}{value}"));
        if let Some(project) = &self.project {
            line("project", &project.reference);
            line("project URL", &project.url);
            for (name, key) in &project.keys {
                match *name {
                    "anon_key" if self.local => line("anon key", key.expose()),
                    "service_role_key" if self.local => line("service_role key", key.expose()),
                    _ => {}
                }
            }
            if !self.local {
                line("keys", &format!("tenantry project show {}", project.reference));
            }
        }
        if let Some(mailbox) = self.mailbox_url {
            line("mailbox", mailbox);
        }
        line("management API", self.admin_url);
        match self.token_file {
            Some(file) => line("operator token", &format!("in {}", file.display())),
            None => line("operator token", "an owner's: the one of the first run was revoked"),
        }
        if self.project.is_none() {
            lines.push("\n  There is no project: `tenantry project create` makes one.".to_owned());
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(local: bool) -> Banner<'static> {
        let keys = vec![
            ("anon_key", Secret::new("anon-key-text".to_owned())),
            ("jwt_secret", "jwt-secret-text".to_owned().into()),
        ];
        let project = Shown {
            reference: "acme".to_owned(),
            name: "Acme".to_owned(),
            url: "http://127.0.0.1:8000/p/acme".to_owned(),
            profile: "compat".to_owned(),
            status: "ACTIVE_HEALTHY",
            keys,
        };
        Banner {
            url: "http://127.0.0.1:8000",
            admin_url: "http://127.0.0.1:8000",
            token_file: Some(Path::new("data/operator-token")),
            mailbox_url: Some("http://127.0.0.1:8000/mail/"),
            project: Some(project),
            local,
        }
    }

    #[test]
    fn a_local_banner_has_the_keys() {
        assert!(banner(true).text().contains("anon-key-text"));
        assert_eq!(banner(true).json()["project"]["anon_key"], "anon-key-text");
        assert!(!banner(true).text().contains("jwt-secret-text"), "a person does not need it");
    }

    #[test]
    fn a_token_that_was_revoked_is_not_named() {
        let banner = Banner { token_file: None, ..banner(true) };
        assert!(banner.text().contains("was revoked") && !banner.text().contains("operator-token"));
        assert_eq!(banner.json()["token_file"], Value::Null);
    }

    #[test]
    fn a_public_banner_has_no_key_but_says_how_to_see_them() {
        let text = banner(false).text();
        assert!(!text.contains("key-text") && text.contains("tenantry project show acme"), "{text}");
        assert!(!banner(false).json().to_string().contains("-text"));
    }
}
