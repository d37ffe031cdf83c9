//! An operator changes configuration and rotates keys while users read and refresh: no request may be refused.
//!
//! Signing keys go round: the first rotations make new ones, later ones put the key back in use that has waited longest, so
//! that every token stays good and the number of keys stays small. A rotated API key is tried at once, and so is the
//! one it replaces.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::{BoxFuture, LocalBoxFuture};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{About, Act, Cast, Pace, Scenario, Setting};
use crate::client::{Failure, Project, Session, send, send_json};
use crate::stage::Stage;
use crate::steps::Steps;
use crate::target::Gateway;

/// Reads between two refreshes of a session.
const READS: u32 = 3;

/// Signing keys that a project gets before they go round.
const KEYS: usize = 6;

/// A gateway may not have heard of a new key yet; the Management API says so, and that one should ask again.
const CONFLICT: &str = "409";
const PATIENCE: Duration = Duration::from_millis(250);
const TRIES: u32 = 20;

/// `config-and-key-rotation`.
pub(super) struct ConfigAndKeyRotation;

impl Scenario for ConfigAndKeyRotation {
    fn about(&self) -> &About {
        &About {
            name: "config-and-key-rotation",
            does: "users read and refresh while an operator changes configuration and rotates keys",
            models: "Work on a live project: another lifetime of tokens, another address of the app, a key that is replaced by \
                     the rules. Nobody may be signed out by it.",
            tables: &["control.*", "users", "identities", "sessions", "refresh_tokens", "mfa_factors"],
            needs_gateway: true,
            settings: &[
                Setting { name: "changes", default: 2.0, most: 1_000.0, does: "changes of configuration a second" },
                Setting {
                    name: "rotations",
                    default: 1.0,
                    most: 100.0,
                    does: "rotations of keys a second, signing keys and API keys in turn",
                },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let settings = stage.options().settings.clone();
            let gateway = stage.gateway()?.clone();
            let mut desks = Vec::new();
            let mut refs = Vec::new();
            for (project, reference) in stage.own_projects()? {
                let publishable = publishable(&gateway, &reference).await?;
                let keys = signing_keys(&gateway, &reference).await?;
                desks.push(Desk { project, keys, publishable, spent: None });
                refs.push(reference);
            }
            let users =
                stage.sessions(stage.options().clients).await?.into_iter().map(|session| Reader { session, read: 0 });
            let configurer = Configurer { gateway: gateway.clone(), refs, turn: 0 };
            let rotator = Rotator { gateway, desks, turn: 0 };
            let mut cast = Cast::new(stage, users);
            let (changes, rotations) = (settings.get("changes"), settings.get("rotations"));
            if changes > 0.0 {
                cast = cast.with(Pace::steady(changes), 0.0, [configurer]);
            }
            if rotations > 0.0 {
                cast = cast.with(Pace::steady(rotations), 0.0, [rotator]);
            }
            Ok(cast)
        })
    }
}

/// A signed-in user.
struct Reader {
    session: Session,
    read: u32,
}

impl Act for Reader {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.read < READS {
                self.read += 1;
                return steps.step("user-read", self.session.read_user()).await;
            }
            self.read = 0;
            steps.step("refresh", self.session.refresh()).await
        })
    }
}

/// Changes the configuration of one project after the other.
struct Configurer {
    gateway: Gateway,
    refs: Vec<String>,
    turn: usize,
}

impl Act for Configurer {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.turn += 1;
            let reference = self.refs.get(self.turn % self.refs.len()).map_or("", String::as_str);
            let life = 3_600 + self.turn % 100;
            let change = json!({"jwt_exp": life, "site_url": format!("https://release-{}.example.com", self.turn)});
            let changed = async {
                let path = format!("/v1/projects/{reference}/config/auth");
                let answer: Value = insist(|| self.gateway.managed(Method::PATCH, &path).json(&change)).await?;
                let in_force = answer.get("jwt_exp").and_then(Value::as_u64);
                if in_force == u64::try_from(life).ok() { Ok(()) } else { Err(Failure::unexpected()) }
            };
            steps.step("config-change", changed).await
        })
    }
}

/// The keys of a project.
struct Desk {
    project: Project,
    /// Signing keys that were in use, the one that is last.
    keys: VecDeque<String>,
    publishable: ApiKey,
    /// The key before this one, which clients still have.
    spent: Option<String>,
}

#[derive(Deserialize)]
struct ApiKey {
    id: String,
    api_key: String,
}

/// The publishable key in use; one that was replaced has an end.
async fn publishable(gateway: &Gateway, reference: &str) -> anyhow::Result<ApiKey> {
    let path = format!("/v1/projects/{reference}/api-keys");
    let keys: Vec<Value> =
        send_json(gateway.managed(Method::GET, &path)).await.context("the API keys cannot be read")?;
    let is_good = |key: &&Value| {
        key.get("type").and_then(Value::as_str) == Some("publishable")
            && key.get("expires_at").is_none_or(Value::is_null)
    };
    let key = keys.iter().find(is_good).context("there is no publishable key")?;
    Ok(serde_json::from_value(key.clone())?)
}

/// The signing keys that an earlier run has left, the one in use last.
async fn signing_keys(gateway: &Gateway, reference: &str) -> anyhow::Result<VecDeque<String>> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        id: String,
        status: String,
    }
    let path = format!("/v1/projects/{reference}/config/auth/signing-keys");
    let Keys { keys } =
        send_json(gateway.managed(Method::GET, &path)).await.context("the signing keys cannot be read")?;
    // The newest comes first.
    let of = |status: &'static str| keys.iter().rev().filter(move |key| key.status == status);
    Ok(of("previously_used").chain(of("in_use")).map(|key| key.id.clone()).collect())
}

/// Rotates the keys of one project after the other: a signing key, then an API key.
struct Rotator {
    gateway: Gateway,
    desks: Vec<Desk>,
    turn: usize,
}

impl Act for Rotator {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let (turn, count) = (self.turn, self.desks.len());
            self.turn += 1;
            let Some(desk) = self.desks.get_mut(turn / 2 % count) else { return Ok(()) };
            if turn.is_multiple_of(2) {
                steps.step("key-rotation", desk.rotate_signing_key(&self.gateway)).await
            } else {
                steps.step("api-key-rotation", desk.rotate_api_key(&self.gateway)).await
            }
        })
    }
}

impl Desk {
    fn path(&self, rest: &str) -> String {
        format!("/v1/projects/{}/{rest}", self.project.reference().unwrap_or_default())
    }

    async fn rotate_signing_key(&mut self, gateway: &Gateway) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Key {
            id: String,
        }
        let oldest = if self.keys.len() < KEYS { None } else { self.keys.pop_front() };
        let request = || match &oldest {
            None => {
                let path = self.path("config/auth/signing-keys/rotate");
                gateway.managed(Method::POST, &path).json(&json!({"algorithm": "ES256"}))
            }
            Some(id) => {
                let path = self.path(&format!("config/auth/signing-keys/{id}"));
                gateway.managed(Method::PATCH, &path).json(&json!({"status": "in_use"}))
            }
        };
        let rotated: Result<Key, Failure> = insist(request).await;
        // A key that was not put in use keeps its place.
        let latest = rotated.as_ref().ok().map(|key| key.id.clone());
        match (latest, oldest) {
            (Some(id), _) => self.keys.push_back(id),
            (None, Some(oldest)) => self.keys.push_front(oldest),
            (None, None) => {}
        }
        rotated.map(drop)
    }

    async fn rotate_api_key(&mut self, gateway: &Gateway) -> Result<(), Failure> {
        let path = self.path(&format!("api-keys/{}/rotate", self.publishable.id));
        let new: ApiKey = insist(|| gateway.managed(Method::POST, &path)).await?;
        let old = std::mem::replace(&mut self.publishable, new);
        for key in [&self.publishable.api_key, &old.api_key] {
            send(self.project.with_key(key).public(Method::GET, "settings")).await?;
        }
        if let Some(spent) = self.spent.replace(old.id) {
            send(gateway.managed(Method::DELETE, &self.path(&format!("api-keys/{spent}")))).await?;
        }
        Ok(())
    }
}

/// Sends a change again while another one is under way.
async fn insist<T: serde::de::DeserializeOwned>(request: impl Fn() -> RequestBuilder) -> Result<T, Failure> {
    for _ in 1..TRIES {
        match send_json(request()).await {
            Err(Failure(reason)) if reason.starts_with(CONFLICT) => tokio::time::sleep(PATIENCE).await,
            other => return other,
        }
    }
    send_json(request()).await
}
