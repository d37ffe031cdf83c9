//! Life on a gateway with many projects: requests of all of them, and the work of operators and scripts on them.
//!
//! One number of projects a run (`fleet`); `compare` the reports of two numbers, or let the command `tenantry-load fleet`
//! measure a row of numbers one request at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, LocalBoxFuture};
use reqwest::Method;
use serde_json::json;

use super::turns::Turns;
use super::{About, Act, Cast, FLEET, Scenario, Setting};
use crate::client::{Failure, Project, send};
use crate::fleet::requests;
use crate::stage::Stage;
use crate::steps::Steps;
use crate::target::Gateway;

/// `fleet`.
pub(super) struct Fleet;

impl Scenario for Fleet {
    fn about(&self) -> &About {
        &About {
            name: "fleet",
            does: "works on one project after the other: settings, change, list, search; makes and removes one now and then",
            models: "An agency or a platform with a project for every customer: nothing may grow with their number.",
            tables: &["control.*"],
            needs_gateway: true,
            settings: &[
                FLEET,
                Setting {
                    name: "makes",
                    default: 0.2,
                    most: 1.0,
                    does: "share of the journeys that make a project and remove it",
                },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let settings = stage.options().settings.clone();
            let (projects, asked) =
                (Arc::new(stage.fleet(settings.get(FLEET.name) as usize).await?), Arc::new(AtomicUsize::new(0)));
            let gateway = stage.gateway()?.clone();
            let clients = stage.options().clients as usize;
            let hands = (0..clients).map(|client| Hand {
                gateway: gateway.clone(),
                projects: Arc::clone(&projects),
                asked: Arc::clone(&asked),
                makes: Turns::of(settings.get("makes"), client, clients),
            });
            Ok(Cast::new(stage, hands))
        })
    }
}

/// Somebody who works on the fleet.
struct Hand {
    gateway: Gateway,
    projects: Arc<Vec<(Project, String)>>,
    /// Turns that all have taken: in the first round no project is in the gateway's memory.
    asked: Arc<AtomicUsize>,
    makes: Turns,
}

impl Act for Hand {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.makes.next() {
                return self.make_and_remove(steps).await;
            }
            let turn = self.asked.fetch_add(1, Ordering::Relaxed);
            let Some((project, reference)) = self.projects.get(turn % self.projects.len()) else { return Ok(()) };
            let gateway = &self.gateway;
            let first = if turn < self.projects.len() { "settings-cold" } else { "settings" };
            steps.step(first, send(project.public(Method::GET, "settings"))).await?;
            let life = 3_600 + turn as u32 % 100;
            steps.step("config-change", send(requests::configure(gateway, reference, life))).await?;
            steps.step("project-list", send(requests::list_after(gateway, reference))).await?;
            steps.step("project-search", send(requests::search(gateway, reference))).await?;
            Ok(())
        })
    }
}

impl Hand {
    async fn make_and_remove(&self, steps: &mut Steps) -> Result<(), Failure> {
        let made = steps.step("project-create", self.gateway.create("load", &json!({}))).await?;
        let reference = made.reference().unwrap_or_default();
        steps.step("project-delete", self.gateway.remove(reference)).await
    }
}
