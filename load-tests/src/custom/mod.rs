//! Scenarios of one's own: a mix of steps in a file (TOML).

mod file;
mod person;

use std::path::Path;

use futures::future::LocalBoxFuture;
use serde_json::Value;

use crate::client::{Session, User};
use crate::scenario::{About, Cast, Plan, Scenario, Settings};
use crate::stage::Stage;

use file::File;
use person::{Mix, Person};

/// Reads a scenario; it stays for the life of the program.
pub(crate) fn open(path: &Path) -> Result<&'static dyn Scenario, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(Box::leak(Box::new(Custom::read(&text)?)))
}

/// A scenario of a file.
pub(crate) struct Custom {
    about: About,
    plan: Plan,
    configuration: Value,
    mix: Mix,
}

impl Custom {
    fn read(text: &str) -> Result<Self, String> {
        let file = File::read(text)?;
        let mut tables: Vec<_> = file.steps.iter().flat_map(|step| step.operation.tables()).copied().collect();
        tables.sort_unstable();
        tables.dedup();
        let about = About {
            name: file.name.leak(),
            does: file.does.leak(),
            models: file.models.leak(),
            tables: tables.leak(),
            needs_gateway: false,
            settings: &[],
        };
        let mix = Mix::new(file.steps.iter().map(|step| (step.operation, step.weight)));
        Ok(Self { about, plan: file.load.plan(file.thresholds), configuration: file.configuration, mix })
    }
}

impl Scenario for Custom {
    fn about(&self) -> &About {
        &self.about
    }

    fn configuration(&self, _settings: &Settings) -> Value {
        self.configuration.clone()
    }

    fn plan(&self) -> Plan {
        self.plan.clone()
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let options = stage.options();
            let (clients, count) = (options.clients, options.users);
            let users: Vec<User> = stage.users(count).await?;
            let sessions: Vec<Option<Session>> = if self.mix.needs_sessions() {
                stage.sign_in(&users, clients).await?.into_iter().map(Some).collect()
            } else {
                (0..clients).map(|_| None).collect()
            };
            let mut people = Vec::new();
            for ((client, session), user) in sessions.into_iter().enumerate().zip(users.iter().cycle()) {
                let (address, ledger) = (stage.address(), stage.ledger());
                people.push(Person::new(user.clone(), session, address, ledger, self.mix.turns(client)));
            }
            Ok(Cast::new(stage, people))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is_and_how_it_is_run() {
        let custom = Custom::read(include_str!("../../examples/shop.toml")).unwrap();
        let (about, plan) = (custom.about(), custom.plan());
        assert_eq!(about.name, "shop");
        assert!(about.tables.contains(&"refresh_tokens") && about.tables.is_sorted());
        assert_eq!((plan.rate, plan.projects, plan.fail_on.len()), (Some(50.0), Some(2), 1));
        assert_eq!(custom.configuration(&Settings::default())["jwt_exp"], 600);
    }
}
