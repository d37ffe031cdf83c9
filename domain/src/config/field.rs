//! What a configuration field is: type, bounds, defaults of both profiles, and the bound shield locks it to.

use serde_json::Value;

use crate::config::format::Format;

/// The largest integer of the contract's 32-bit fields.
pub(crate) const MAX: i64 = 2_147_483_647;

/// A JSON value that can stand in a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal {
    /// Not set.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction.
    Number(f64),
    /// A text.
    Text(&'static str),
}

impl Literal {
    /// The value as JSON.
    pub fn to_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::from(value),
            Self::Int(value) => Value::from(value),
            Self::Number(value) => Value::from(value),
            Self::Text(value) => Value::from(value),
        }
    }
}

/// The type of a field with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// A number, fractions allowed.
    Number {
        /// Smallest accepted value.
        min: f64,
    },
    /// A text of a given form.
    Text(Format),
    /// One of a few texts.
    Choice(&'static [&'static str]),
}

/// How far a field may be moved while the shield profile is enforced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lock {
    /// Nothing but this value.
    Only(Literal),
    /// Set, and not above.
    AtMost(i64),
    /// Set, and not below.
    AtLeast(i64),
    /// Set, and within both ends.
    Between(i64, i64),
    /// A comma list that holds at least these words.
    Holds(&'static [&'static str]),
    /// A comma list of redirect targets without `*`, `[`, `{` and `\`, but for the brackets of an IPv6 host.
    NoWildcards,
    /// A comma list of origins without `*`.
    NoWildcardOrigin,
    /// Hook secrets: must be set where the hook's URI is http or https.
    SignedHook,
}

/// One field of `config/auth`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// The Management API's name, or ours.
    pub name: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// Whether `null` may be sent to return it to its default.
    pub nullable: bool,
    /// Whether the hosted Management API is known to take it in a PATCH.
    pub writable: bool,
    /// Whether it is in the Management API's specification; false for undocumented fields and ours.
    pub specified: bool,
    /// Whether it is Tenantry's own.
    pub ours: bool,
    /// Never shown in clear.
    pub secret: bool,
    /// Value in the compat profile when not set.
    pub compat: Literal,
    /// Value in the shield profile when not set.
    pub shield: Literal,
    /// Bound of the shield profile.
    pub lock: Option<Lock>,
    /// Whether the bound holds in every profile.
    pub always_locked: bool,
    /// The advisor's rule about it, empty when none.
    pub rule: &'static str,
}

impl Field {
    /// Whether the Management API only answers it: a project gets its value when it is made.
    pub fn is_answer_only(&self) -> bool {
        self.specified && !self.writable
    }

    /// A field of the contract with the same default in both profiles.
    pub(crate) const fn new(name: &'static str, kind: Kind, default: Literal) -> Self {
        Self {
            name,
            kind,
            nullable: true,
            writable: true,
            specified: true,
            ours: false,
            secret: false,
            compat: default,
            shield: default,
            lock: None,
            always_locked: false,
            rule: "",
        }
    }

    /// A boolean field.
    pub(crate) const fn switch(name: &'static str, default: Literal) -> Self {
        Self::new(name, Kind::Boolean, default)
    }

    /// A text without a form of its own.
    pub(crate) const fn text(name: &'static str, default: Literal) -> Self {
        Self::new(name, Kind::Text(Format::Plain), default)
    }

    /// A whole number.
    pub(crate) const fn int(name: &'static str, min: i64, max: i64, default: Literal) -> Self {
        Self::new(name, Kind::Integer { min, max }, default)
    }

    /// Written, never read.
    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The Management API takes no `null` for it.
    pub(crate) const fn never_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// In the Management API only part of the answer.
    pub(crate) const fn answer_only(mut self) -> Self {
        self.writable = false;
        self
    }

    /// Known from the hosted service, not in its specification.
    pub(crate) const fn beside_the_spec(mut self) -> Self {
        self.writable = false;
        self.specified = false;
        self
    }

    /// Tenantry's own.
    pub(crate) const fn ours(mut self) -> Self {
        self.specified = false;
        self.ours = true;
        self
    }

    /// Shield's default, which the operator may change.
    pub(crate) const fn preset(mut self, shield: Literal, rule: &'static str) -> Self {
        self.shield = shield;
        self.rule = rule;
        self
    }

    /// Shield's bound on a field whose default is the same in both profiles.
    pub(crate) const fn lock(mut self, lock: Lock, rule: &'static str) -> Self {
        self.lock = Some(lock);
        self.rule = rule;
        self
    }

    /// Shield's default and its bound.
    pub(crate) const fn locked(self, shield: Literal, lock: Lock, rule: &'static str) -> Self {
        self.preset(shield, rule).lock(lock, rule)
    }

    /// The bound holds in compat as well.
    pub(crate) const fn in_every_profile(mut self) -> Self {
        self.always_locked = true;
        self
    }
}
