//! Asking and comparing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::Method;
use serde_json::Value;
use storage::{Database, Placement};
use testkit::{Answer, Ask, RowWatch, Rows, TestApp, TestProject};
use uuid::Uuid;

use super::person::{HANDLES, Person};
use super::table::{Question, encoded, questions};

/// Attempts that one person bears before he is locked out, with room to spare.
const PATIENCE: usize = 5;

/// What can open something.
const TOKENS: [&str; 6] = ["anon", "service", "publishable", "secret", "aal1", "aal2"];

/// Headers that are another in each answer.
const FLEETING: [&str; 3] = ["x-request-id", "date", "content-length"];

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every handle in every place.
    Everything,
    /// In each place a handle of the kind that belongs there, and every token as a token.
    Likely,
}

/// Where rows of the projects lie.
pub(super) struct Place {
    /// As a look from outside finds it.
    pub(super) rows: Placement,
    /// As the gateway uses it.
    pub(super) database: Database,
}

type Held = BTreeMap<&'static str, String>;

/// Two projects of a gateway, and one that it does not know.
pub(super) struct Matrix<'a> {
    app: &'a TestApp,
    /// The project that is asked.
    own: &'a TestProject,
    person: Person<'a>,
    /// The project whose handles it is asked with.
    other: &'a TestProject,
    foreign: Held,
    unknown: Held,
    instances: [Uuid; 2],
    extent: Extent,
    databases: Vec<Database>,
    watches: Vec<RowWatch>,
    /// The rows as they were looked at last, and when that was.
    seen: Arc<[Rows; 2]>,
    versions: Vec<String>,
    /// The tables of the project that was asked in which the last request has changed something.
    used: Vec<String>,
    checks: usize,
    /// What is wrong, so that one run tells all of it.
    wrong: Vec<String>,
}

/// What a request did.
#[derive(Debug)]
struct Done {
    status: u16,
    told: String,
    statements: u64,
    /// How many rows came and went, by table, of the project that was asked.
    own: BTreeMap<String, (usize, usize)>,
    /// The same of the other project.
    other: BTreeMap<String, (usize, usize)>,
}

impl<'a> Matrix<'a> {
    /// `projects` are the one that is asked, the other, and the one at another gateway; `places` is where the rows of the first two lie.
    pub(super) async fn new(
        app: &'a TestApp,
        elsewhere: &'a TestApp,
        projects: [&'a TestProject; 3],
        places: Vec<Place>,
        extent: Extent,
    ) -> Self {
        let [own, other, unknown] = projects;
        let mut owner = Person::new(app, other, "other").await;
        let foreign = owner.all().await;
        let unknown = Person::new(elsewhere, unknown, "unknown").await.all().await;
        let person = Person::new(app, own, "own").await;
        for name in HANDLES {
            let (foreign, unknown) = (&foreign[name], &unknown[name]);
            // A cursor is a number.
            assert!(name == "cursor" || foreign != unknown, "{name} is the same everywhere: {foreign}");
        }
        let mut instances = Vec::new();
        for project in [own, other] {
            instances.push(app.management.project(&project.project_ref).await.unwrap().project.instance.0);
        }
        let mut watches = Vec::new();
        for place in &places {
            watches.push(RowWatch::open(&place.rows).await);
        }
        Self {
            app,
            own,
            person,
            other,
            foreign,
            unknown,
            instances: instances.try_into().unwrap(),
            extent,
            databases: places.into_iter().map(|place| place.database).collect(),
            watches,
            seen: Arc::default(),
            versions: Vec::new(),
            used: Vec::new(),
            checks: 0,
            wrong: Vec::new(),
        }
    }

    /// Asks everything. Gives the number of checks.
    pub(super) async fn run(mut self) -> usize {
        let before = self.rows().await;
        assert!(before[1].len() > 10, "the other project has rows in few tables: {:?}", before[1].keys());
        for question in questions() {
            self.ask_all(&question).await;
        }
        self.doors().await;
        let after = self.rows().await;
        assert_eq!(before[1], after[1], "the other project is another");
        self.owner_is_unharmed().await;
        assert!(self.wrong.is_empty(), "{} of {} checks:\n{}", self.wrong.len(), self.checks, self.wrong.join("\n"));
        self.checks
    }

    async fn ask_all(&mut self, question: &Question) {
        self.control(question).await;
        let slots: Vec<String> = question.slots().into_iter().map(str::to_owned).collect();
        for (count, handle) in HANDLES.into_iter().enumerate() {
            if count % PATIENCE == 0 && slots.iter().any(|slot| slot == "recovery_code") {
                self.renew().await;
            }
            // The same route with a slash at its end is asked what belongs there.
            let whole = self.extent == Extent::Everything && !question.is_again();
            for slot in slots.iter().filter(|slot| whole || *slot == handle) {
                self.in_slot(question, slot, handle).await;
            }
            if whole || TOKENS.contains(&handle) {
                self.as_bearer(question, handle).await;
            }
            if TOKENS.contains(&handle) {
                self.as_api_key(question, handle).await;
            }
        }
        self.replayed(question).await;
    }

    /// The own person is let in: what the others are refused is not refused to everybody.
    async fn control(&mut self, question: &Question) {
        let Some(own) = question.own.filter(|_| !question.is_again()) else { return };
        if question.slots().is_empty() && question.bearer.is_none() {
            // A message a second.
            self.app.clock.advance(1);
        }
        if self.person.has_more() {
            self.renew().await;
        }
        if question.wants_recovery_codes() {
            self.person.handle("recovery_code").await;
        }
        if question.wants_password() {
            self.person.set_password("correct horse").await;
        }
        let values = self.own_values(question).await;
        let ask = question.ask(self.own, &|name| values[name].clone());
        let ask = self.opened(ask, question).await;
        let done = self.send(ask, &[]).await;
        self.check(done.status == own, || format!("{question}: own handles give {done:?}"));
        self.checks += 1;
        self.replace_what_was_used().await;
    }

    /// One of the other project's handles where one of the own project's belongs.
    async fn in_slot(&mut self, question: &Question, slot: &str, handle: &'static str) {
        let mut done = Vec::new();
        for held in [&self.unknown, &self.foreign].map(|held| held[handle].clone()) {
            let values = self.own_values(question).await;
            let ask = question.ask(self.own, &|name| if name == slot { held.clone() } else { values[name].clone() });
            let ask = self.opened(ask, question).await;
            done.push(self.send(ask, &[&held]).await);
            self.replace_what_was_used().await;
        }
        let what = || format!("{question}: {handle} as {slot}");
        self.compare(what, question.tells, &done.try_into().unwrap());
    }

    /// One of the other project's handles in the place of the token.
    async fn as_bearer(&mut self, question: &Question, handle: &'static str) {
        let mut done = Vec::new();
        for held in [&self.unknown, &self.foreign].map(|held| held[handle].clone()) {
            let ask = if question.bearer.is_some() {
                let values = self.own_values(question).await;
                question.ask(self.own, &|name| values[name].clone())
            } else {
                question.ask_bare(self.own)
            };
            done.push(self.send(ask.bearer(&held), &[&held]).await);
        }
        let tells = question.tells || question.bearer.is_none();
        self.compare(|| format!("{question}: {handle} as bearer"), tells, &done.try_into().unwrap());
    }

    /// One of the other project's tokens as `apikey`, and nothing else: the path says whose project it is, and a key is nobody.
    async fn as_api_key(&mut self, question: &Question, handle: &'static str) {
        let mut done = Vec::new();
        for held in [&self.unknown, &self.foreign].map(|held| held[handle].clone()) {
            let ask = question.ask_bare(self.own).header("apikey", &held);
            done.push(self.send(ask, &[&held]).await);
        }
        let tells = question.tells || question.bearer.is_none();
        self.compare(|| format!("{question}: {handle} as apikey"), tells, &done.try_into().unwrap());
    }

    /// The whole request of the other project's person, sent to the own project.
    async fn replayed(&mut self, question: &Question) {
        let mut done = Vec::new();
        let is_bare = question.slots().is_empty() && question.bearer.is_none();
        for held in [self.unknown.clone(), self.foreign.clone()] {
            let mut ask =
                if is_bare { question.ask_bare(self.own) } else { question.ask(self.own, &|name| held[name].clone()) };
            ask = ask.header("apikey", &held["anon"]);
            if let Some(bearer) = question.bearer {
                ask = ask.bearer(&held[bearer]);
            }
            let sent: Vec<&str> = question.slots().into_iter().map(|name| held[name].as_str()).collect();
            done.push(self.send(ask, &sent).await);
        }
        let tells = question.tells || is_bare;
        self.compare(|| format!("{question}: replayed"), tells, &done.try_into().unwrap());
    }

    /// However a request finds its project, a token of another opens nothing.
    async fn doors(&mut self) {
        let key = self.own.anon_key.clone();
        let doors = [("http://own.localhost/auth/v1", None), ("/auth/v1", Some(&key)), ("/p/own/auth/v1", None)];
        for (base, key) in doors {
            for path in ["/user", "/sessions", "/admin/users", "/admin/audit"] {
                for handle in TOKENS {
                    let mut done = Vec::new();
                    for held in [&self.unknown, &self.foreign].map(|held| held[handle].clone()) {
                        let ask = self.app.ask(Method::GET, &format!("{base}{path}")).bearer(&held);
                        // Where the path or the host says whose project it is, a key does not.
                        done.push(self.send(ask.header("apikey", key.unwrap_or(&held)), &[&held]).await);
                    }
                    self.compare(|| format!("GET {base}{path}: {handle}"), false, &done.try_into().unwrap());
                }
            }
        }
    }

    /// Makes anew what a refused request has used up.
    async fn replace_what_was_used(&mut self) {
        let slight = ["webauthn_challenges", "audit_log_entries"];
        if self.used.iter().any(|table| !slight.contains(&table.as_str())) {
            self.renew().await;
        } else if !self.used.is_empty() {
            self.person.ceremonies_are_over();
        }
    }

    /// What the other project's person holds still does what it is for.
    async fn owner_is_unharmed(&mut self) {
        let foreign = &self.foreign;
        for question in questions() {
            let reads = question.method == Method::GET && question.bearer.is_some() && !question.tells;
            if reads && !question.route.contains("authorize") && !question.route.contains("reauthenticate") {
                let ask = question.ask(self.other, &|name| foreign[name].clone());
                let ask = ask.bearer(&foreign[question.bearer.unwrap()]);
                let answer = ask.send().await;
                assert_eq!(Some(answer.status.as_u16()), question.own, "{question}: {}", answer.text);
            }
        }
        for body in
            ["recovery-codes/verify", "factors/{factor}/verify", "pkce", "authentication/verify", "\"email\",\"email\""]
        {
            let question = questions().into_iter().find(|question| question.to_string().contains(body)).unwrap();
            let ask = question.ask(self.other, &|name| foreign[name].clone());
            let ask = match question.bearer {
                Some(bearer) => ask.bearer(&foreign[bearer]),
                None => ask,
            };
            let answer = ask.send().await;
            assert_eq!(Some(answer.status.as_u16()), question.own, "{question}: {}", answer.text);
        }
    }

    async fn own_values(&mut self, question: &Question) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for slot in question.slots() {
            values.insert(slot.to_owned(), self.person.handle(slot).await);
        }
        values
    }

    /// With the own token that the question needs.
    async fn opened(&mut self, ask: Ask, question: &Question) -> Ask {
        match question.bearer {
            Some(name) => ask.bearer(&self.person.handle(name).await),
            None => ask,
        }
    }

    async fn renew(&mut self) {
        self.person = self.person.renewed().await;
    }

    /// Sends a request and looks at what became of the rows.
    async fn send(&mut self, ask: Ask, held: &[&str]) -> Done {
        self.look().await;
        let before = self.seen.clone();
        let statements = self.statements();
        let answer = ask.send().await;
        let statements = self.statements() - statements;
        self.look().await;
        let [own, other] = [0, 1].map(|i| difference(&before[i], &self.seen[i]));
        self.used = own.keys().cloned().collect();
        Done { status: answer.status.as_u16(), told: told(&answer, held), statements, own, other }
    }

    /// Round trips to all databases so far.
    fn statements(&self) -> u64 {
        self.databases.iter().map(Database::statements).sum()
    }

    /// Reads all rows again where something may have been written.
    async fn look(&mut self) {
        let mut versions = Vec::new();
        for watch in &mut self.watches {
            versions.push(watch.version().await);
        }
        if versions != self.versions {
            self.seen = self.rows().await;
            self.versions = versions;
        }
    }

    /// The rows of the project that is asked, and of the other.
    async fn rows(&mut self) -> Arc<[Rows; 2]> {
        let mut all: BTreeMap<Uuid, Rows> = BTreeMap::new();
        for watch in &mut self.watches {
            for (instance, rows) in watch.rows().await {
                all.entry(instance).or_default().extend(rows);
            }
        }
        Arc::new(self.instances.map(|instance| all.remove(&instance).unwrap_or_default()))
    }

    fn compare(&mut self, what: impl Fn() -> String, tells: bool, [unknown, foreign]: &[Done; 2]) {
        self.checks += 1;
        let same = unknown.status == foreign.status && unknown.told == foreign.told;
        self.check(same, || format!("{}: {foreign:?}\n    unlike {unknown:?}", what()));
        let refused = tells || (400..500).contains(&foreign.status);
        self.check(refused, || format!("{} is not refused: {foreign:?}", what()));
        self.check(foreign.other.is_empty(), || format!("{} changes the other project: {:?}", what(), foreign.other));
        self.check(unknown.own == foreign.own, || format!("{}: rows {:?}, not {:?}", what(), foreign.own, unknown.own));
        let [asked, for_unknown] = [foreign, unknown].map(|done| done.statements);
        self.check(asked == for_unknown, || {
            format!("{}: {asked} statements, {for_unknown} for an unknown one", what())
        });
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

/// How many rows of each table came and went.
fn difference(before: &Rows, after: &Rows) -> BTreeMap<String, (usize, usize)> {
    let none = Default::default();
    let tables: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let count = |table: &&String| {
        let (before, after) = (before.get(*table).unwrap_or(&none), after.get(*table).unwrap_or(&none));
        ((*table).clone(), (after.difference(before).count(), before.difference(after).count()))
    };
    tables.iter().map(count).filter(|(_, change)| *change != (0, 0)).collect()
}

/// All of an answer that two requests can have in common, without what was sent.
fn told(answer: &Answer, held: &[&str]) -> String {
    let mut told = String::new();
    for (name, value) in &answer.headers {
        if !FLEETING.contains(&name.as_str()) {
            told.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
    }
    // What is new in each answer to an open question is known by its form alone.
    match serde_json::from_str::<Value>(&answer.text) {
        Ok(mut body) if body.get("challenge_id").is_some() => {
            body["challenge_id"] = Value::Null;
            body["options"]["challenge"] = Value::Null;
            told.push_str(&body.to_string());
        }
        _ => told.push_str(&answer.text),
    }
    // A short one is a number that stands anywhere.
    for held in held.iter().filter(|held| held.len() >= 6) {
        let escaped = Value::from(*held).to_string();
        for form in [*held, &encoded(held), escaped.trim_matches('"')] {
            told = told.replace(form, "HELD").replace(&form.to_lowercase(), "HELD");
        }
    }
    told
}
