//! Signing in at a provider: there, back, and a session.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use futures::future::{BoxFuture, LocalBoxFuture};
use reqwest::Method;

use super::turns::{InTurn, Turns, deal};
use super::{About, Act, Cast, Scenario, Setting};
use crate::client::pkce::Verifier;
use crate::client::{Failure, Project, oauth, send};
use crate::provider::Provider;
use crate::stage::{Stage, random_text};
use crate::steps::Steps;

const PKCE: &str = "pkce-share";

/// `oauth-login`.
pub(super) struct OauthLogin;

impl Scenario for OauthLogin {
    fn about(&self) -> &About {
        &About {
            name: "oauth-login",
            does: "users sign in at a provider, which the tool itself is",
            models: "Sign in with somebody else's account: the browser leaves (`authorize`), agrees at the provider, comes back \
                     (`callback`: the gateway asks the provider for token and profile) with tokens or, with PKCE, a code to \
                     exchange. The first time opens an account. The provider runs on loopback in this process, so the gateway must \
                     be on this machine.",
            tables: &[
                "flow_state",
                "users",
                "identities",
                "sessions",
                "refresh_tokens",
                "mfa_amr_claims",
                "audit_log_entries",
            ],
            needs_gateway: true,
            settings: &[Setting {
                name: PKCE,
                default: 0.5,
                most: 1.0,
                does: "share of the sign-ins with PKCE: the browser comes back with a code, which is exchanged",
            }],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let projects = stage.projects().to_vec();
            let provider = Arc::new(introduce(stage, &projects).await?);
            let (clients, users) = (stage.options().clients, stage.options().users.max(stage.options().clients));
            let mut people = Vec::new();
            for project in projects.iter().cycle().take(users as usize) {
                let name = stage.address().split('@').next().unwrap_or_default().to_owned();
                people.push(Person { project: project.clone(), name });
            }
            if let Some(first) = people.first() {
                first.arrive().await.with_context(|| unreachable_from_the_gateway(&provider))?;
            }
            let share = stage.options().settings.get(PKCE);
            let browsers = deal(people, clients).into_iter().enumerate().map(|(client, people)| Browser {
                people,
                pkce: Turns::of(share, client, 0),
                _provider: Arc::clone(&provider),
            });
            Ok(Cast::new(stage, browsers))
        })
    }
}

/// Starts the provider and tells the projects of it.
async fn introduce(stage: &Stage, projects: &[Project]) -> anyhow::Result<Provider> {
    let provider = Provider::start().await?;
    for project in projects {
        let reference = project.reference().context(
            "oauth-login configures the projects for a provider of its own, and leaves given ones as they are: give --gateway and \
             --token, or --data-dir, in place of --url",
        )?;
        let path = format!("/v1/projects/{reference}/config/auth");
        let request = stage.gateway()?.managed(Method::PATCH, &path).json(&provider.configuration());
        send(request).await.context("the projects cannot be told of the provider")?;
        ensure!(!stage.stop().is_requested(), "interrupted");
    }
    Ok(provider)
}

fn unreachable_from_the_gateway(provider: &Provider) -> String {
    format!(
        "nobody can sign in at the provider of this run, {}: the gateway must run on this machine and, where it does not listen on \
         loopback, be started with --allow-private-targets 127.0.0.0/8",
        provider.url()
    )
}

/// Somebody with an account at the provider.
struct Person {
    project: Project,
    name: String,
}

impl Person {
    async fn leave(&self, challenge: Option<&str>) -> Result<String, Failure> {
        oauth::authorize(&self.project, challenge).await?.required("state")
    }

    /// The code with which the provider sends a person back is their name.
    async fn come_back(&self, state: &str, with: &str) -> Result<String, Failure> {
        oauth::callback(&self.project, &self.name, state).await?.required(with)
    }

    /// There and back, outside the measurement.
    async fn arrive(&self) -> Result<String, Failure> {
        let state = self.leave(None).await?;
        self.come_back(&state, "access_token").await
    }
}

struct Browser {
    people: InTurn<Person>,
    pkce: Turns,
    _provider: Arc<Provider>,
}

impl Act for Browser {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let person = self.people.next();
            let verifier = self.pkce.next().then(|| Verifier::new(random_text() + &random_text()));
            let challenge = verifier.as_ref().map(Verifier::challenge);
            let state = steps.step("authorize", person.leave(challenge.as_deref())).await?;
            let with = if verifier.is_some() { "code" } else { "access_token" };
            let brought = steps.step("callback", person.come_back(&state, with)).await?;
            if let Some(verifier) = verifier {
                steps.step("exchange-code", verifier.exchange(&person.project, &brought)).await?;
            }
            Ok(())
        })
    }
}
