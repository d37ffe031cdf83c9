//! Lists of projects: in the order of their refs, a page at a time, each page as quick as the first. A page by its number reads
//! what lies before it.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{ProjectId, ProjectRef};
use domain::project::{Project, Status};

use super::projects::{Projects, Row, columns, read_all, searched};
use crate::backend::{Search, Work};
use crate::error::Result;
use crate::sql::{each, same};
use crate::values::Ids;

statements! {
    control PAGE = same(concat!(
        "select ", columns!("p."), " from control.projects as p where p.status = $1 and p.ref > $2 order by p.ref limit $3"
    ));
    // One bound at each end: of two, SQLite would begin at the first and read all that lies before the second.
    control OF_REF = same(concat!(
        "select ", columns!("p."), " from control.projects as p
         where p.status = $1 and p.ref >= $2 and p.ref < $3 order by p.ref limit $4"
    ));
    // A name that many have is found among the next projects, whatever they are called, by looking into the index alone; one that
    // few have, by itself.
    control OF_NAME_NEAR = same(concat!(
        "select ", columns!("p."), " from (
             select n.ref, n.search_name from control.projects as n
             where n.status = $1 and n.ref > $2 order by n.ref limit 2000
         ) as near
         join control.projects as p on p.ref = near.ref
         where near.search_name >= $3 and near.search_name < $4 order by near.ref limit $5"
    ));
    // An expression has no order to follow: the rows come through their names.
    control OF_NAME = same(concat!(
        "select ", columns!("p."), " from control.projects as p
         where p.search_name >= $3 and p.search_name < $4 and p.status || '' = $1 and p.ref || '' > $2
         order by p.ref || '' limit $5"
    ));
    control OF_IDS = each(
        concat!("select ", columns!("p."), " from control.projects as p where p.id = any($1)"),
        concat!(
            "select ", columns!("p."), " from control.projects as p
             where p.id in (select unhex(n.value) from json_each($1) as n)"
        ),
    );
}

/// Which projects.
#[derive(Clone, Debug)]
pub struct ListProjects {
    /// Those after this one, in the order of refs.
    pub after: Option<ProjectRef>,
    /// How many of them are passed over; each costs something.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
    /// How their ref or their name begins; case does not matter.
    pub search: Option<String>,
    /// In which state; `None` = in any but deleted.
    pub statuses: Option<Vec<Status>>,
    /// None but these.
    pub only: Option<BTreeSet<ProjectId>>,
}

impl Default for ListProjects {
    fn default() -> Self {
        Self { after: None, offset: 0, limit: 100, search: None, statuses: None, only: None }
    }
}

impl ListProjects {
    fn statuses(&self) -> BTreeSet<&'static str> {
        let living = [Status::Active, Status::Paused];
        self.statuses.as_deref().unwrap_or(&living).iter().map(|status| status.as_str()).collect()
    }

    /// How many of each kind may be wanted.
    fn most(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.limit)
    }

    fn after(&self) -> &str {
        self.after.as_ref().map_or("", ProjectRef::as_str)
    }

    fn wants(&self, project: &Project, prefix: Option<&str>) -> bool {
        let begins = |prefix: &str| {
            project.project_ref.as_str().starts_with(prefix) || searched(&project.name).starts_with(prefix)
        };
        self.statuses().contains(project.status.as_str())
            && project.project_ref.as_str() > self.after()
            && prefix.is_none_or(begins)
    }
}

impl Projects<'_> {
    /// The projects, by ref.
    pub async fn list(&self, list: &ListProjects) -> Result<Vec<Project>> {
        let prefix = list.search.as_deref().map(searched).filter(|prefix| !prefix.is_empty());
        let mut found = BTreeMap::new();
        let mut work = self.store.backend.begin_search(Search::InOrder).await?;
        if let Some(only) = &list.only {
            let ids = Ids(only.iter().map(|project| project.0).collect());
            let mut projects = read_all(fetch!(&mut work, fetch_all, Row, OF_IDS, ids)?)?;
            projects.retain(|project| list.wants(project, prefix.as_deref()));
            keep(&mut found, projects);
        } else {
            for status in list.statuses() {
                let projects = match &prefix {
                    None => page(&mut work, status, list).await?,
                    Some(prefix) => matching(&mut work, status, list, prefix).await?,
                };
                keep(&mut found, projects);
            }
        }
        work.commit().await?;
        let (offset, limit) = (size(list.offset), size(list.limit));
        Ok(found.into_values().skip(offset).take(limit).collect())
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn keep(found: &mut BTreeMap<ProjectRef, Project>, projects: Vec<Project>) {
    found.extend(projects.into_iter().map(|project| (project.project_ref.clone(), project)));
}

/// The first text that can be a ref after this one: no character of a ref lies before U+0001.
fn behind(reference: &str) -> String {
    format!("{reference}\u{1}")
}

async fn page(work: &mut Work, status: &str, list: &ListProjects) -> Result<Vec<Project>> {
    read_all(fetch!(work, fetch_all, Row, PAGE, status, list.after(), list.most().cast_signed())?)
}

async fn matching(work: &mut Work, status: &str, list: &ListProjects, prefix: &str) -> Result<Vec<Project>> {
    let (after, most) = (list.after(), list.most().cast_signed());
    // After every text that begins so.
    let end = format!("{prefix}{}", char::MAX);
    let first = if after < prefix { prefix.to_owned() } else { behind(after) };
    let mut found = read_all(fetch!(work, fetch_all, Row, OF_REF, status, &first, &end, most)?)?;
    let near = fetch!(work, fetch_all, Row, OF_NAME_NEAR, status, after, prefix, &end, most)?;
    let named = if near.len() as u64 >= list.most() {
        near
    } else {
        fetch!(work, fetch_all, Row, OF_NAME, status, after, prefix, &end, most)?
    };
    found.extend(read_all(named)?);
    Ok(found)
}
