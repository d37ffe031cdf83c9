//! Where flows of a project may send the browser back to, judged entry by entry.

use domain::config::Policy;
use domain::ids::ProjectRef;
use domain::redirect::{self, Review};

use super::{Management, Result};
use crate::source;

impl Management {
    /// The verdict on the site URL and on each entry of `uri_allow_list`, in their order.
    pub async fn redirects(&self, project: &ProjectRef) -> Result<Vec<Review>> {
        let bundle = self.bundle(project).await?;
        let explicit = source::open_config(&self.master_key, &bundle)?;
        Ok(redirect::review(&Policy::from_explicit(&explicit, &self.defaults)))
    }
}
