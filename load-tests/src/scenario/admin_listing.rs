//! An operator's tools page through the users.

use anyhow::Context as _;
use futures::future::{BoxFuture, LocalBoxFuture};

use super::crowd::make_users;
use super::turns::Turns;
use super::{About, Act, Cast, Scenario, Setting};
use crate::client::{Failure, Project, admin};
use crate::stage::Stage;
use crate::steps::Steps;

const LISTED: &str = "listed-users";
const PER_PAGE: &str = "per-page";
const CURSOR: &str = "cursor-share";

/// `admin-listing`.
pub(super) struct AdminListing;

impl Scenario for AdminListing {
    fn about(&self) -> &About {
        &About {
            name: "admin-listing",
            does: "operators page through the users, by number and by cursor, and open one",
            models: "A dashboard that shows any page of the users and opens one of them; a nightly export that walks through all by \
                     cursor. Where the server knows no cursors, pages only.",
            tables: &["users", "identities", "mfa_factors"],
            needs_gateway: false,
            settings: &[
                Setting { name: LISTED, default: 200.0, most: 1_000_000.0, does: "users made to be listed, in all" },
                Setting { name: PER_PAGE, default: 50.0, most: 1000.0, does: "users of a page" },
                Setting {
                    name: CURSOR,
                    default: 0.5,
                    most: 1.0,
                    does: "share of the journeys that go on with a cursor",
                },
            ],
        }
    }

    fn prepare<'a>(&'a self, stage: &'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<Cast>> {
        Box::pin(async move {
            let settings = stage.options().settings.clone();
            let listed = settings.get(LISTED) as u32;
            let per_page = settings.get(PER_PAGE).max(1.0) as u32;
            make_users(stage, listed).await?;
            let projects = stage.projects().to_vec();
            let first = projects.first().context("there is no project")?;
            let knows_cursors = admin::stretch(first, None, 1).await?.by_cursor;
            let share = if knows_cursors { settings.get(CURSOR) } else { 0.0 };
            let pages = listed.div_ceil(per_page * projects.len() as u32).max(1);
            let clients = stage.options().clients as usize;
            let readers = projects.iter().cycle().take(clients).enumerate().map(|(client, project)| Reader {
                project: project.clone(),
                cursors: Turns::of(share, client, 0),
                per_page,
                pages,
                page: client as u32 % pages,
                cursor: None,
            });
            Ok(Cast::new(stage, readers))
        })
    }
}

struct Reader {
    project: Project,
    cursors: Turns,
    per_page: u32,
    pages: u32,
    page: u32,
    cursor: Option<String>,
}

impl Reader {
    async fn go_on(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        let after = self.cursor.take();
        let request = admin::stretch(&self.project, after.as_deref(), self.per_page);
        self.cursor = steps.step("list-cursor", request).await?.next;
        Ok(())
    }

    async fn open_one(&mut self, steps: &mut Steps) -> Result<(), Failure> {
        let request = admin::page(&self.project, self.page + 1, self.per_page);
        self.page = (self.page + 1) % self.pages;
        let listed = steps.step("list-page", request).await?.ids;
        match listed.get(listed.len() / 2) {
            Some(id) => steps.step("user-by-id", admin::user(&self.project, id)).await,
            None => Ok(()),
        }
    }
}

impl Act for Reader {
    fn act<'a>(&'a mut self, steps: &'a mut Steps) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { if self.cursors.next() { self.go_on(steps).await } else { self.open_one(steps).await } })
    }
}
