//! What must be different in every project: two that verified with the same key would accept each other's tokens. A mark says
//! nothing of the key itself, and stays with its project for as long as there is one.

use domain::ids::ProjectId;

use super::Projects;
use crate::backend::Work;
use crate::error::Result;
use crate::sql::same;

statements! {
    control CLAIM = same(
        "insert into control.key_marks as m (mark, project_id) values ($1, $2)
         on conflict (mark) do update set project_id = m.project_id where m.project_id = excluded.project_id"
    );
}

/// Whether all marks are the project's now; false when one is another's.
pub(super) async fn claim(work: &mut Work, project: ProjectId, marks: &[String]) -> Result<bool> {
    // In one order, so that no two wait for each other.
    let mut marks: Vec<&String> = marks.iter().collect();
    marks.sort();
    for mark in marks {
        if execute!(work, CLAIM, mark, project.0)? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Projects<'_> {
    /// Gives marks to a project whose keys there are already. False when one is another project's: then none is given.
    pub async fn mark(&self, project: ProjectId, marks: &[String]) -> Result<bool> {
        let mut work = self.store.begin().await?;
        let claimed = claim(&mut work, project, marks).await?;
        if claimed {
            work.commit().await?;
        }
        Ok(claimed)
    }
}
