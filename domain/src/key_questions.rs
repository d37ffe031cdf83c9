//! How often an issuer is asked for its keys because of tokens whose keys nobody knows. Anybody can write such a token.

use chrono::TimeDelta;

use crate::time::Timestamp;

/// The least time between two questions.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The least time after a question that came after a silence: a key that is new since then need not wait for the minute.
const SHORT_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// How long a silence is.
const SILENCE: TimeDelta = TimeDelta::minutes(5);

/// When an issuer was asked last, and how soon it may be asked again.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyQuestions {
    last: Option<(Timestamp, TimeDelta)>,
}

impl KeyQuestions {
    /// Whether the issuer may be asked for a key that nobody knows: five seconds after a question that broke a silence, and one
    /// minute after every other one.
    pub fn may_ask(&self, now: Timestamp) -> bool {
        self.last.is_none_or(|(at, pause)| now >= at.plus(pause))
    }

    /// Notes a question, whatever it was asked for.
    pub fn asked(&mut self, now: Timestamp) {
        let silence = self.last.is_none_or(|(at, _)| now.since(at) >= SILENCE);
        self.last = Some((now, if silence { SHORT_PAUSE } else { PAUSE }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds of `from` in which an issuer is asked by whoever does so whenever he may.
    fn flood(questions: &mut KeyQuestions, from: std::ops::Range<i64>) -> Vec<i64> {
        let mut asked = Vec::new();
        for second in from {
            let now = Timestamp::from_unix(second);
            if questions.may_ask(now) {
                questions.asked(now);
                asked.push(second);
            }
        }
        asked
    }

    #[test]
    fn a_flood_asks_once_more_after_five_seconds_and_then_once_a_minute() {
        let mut questions = KeyQuestions::default();
        assert_eq!(flood(&mut questions, 0..200), [0, 5, 65, 125, 185]);
        // Silence lets the next one ask soon again.
        assert_eq!(flood(&mut questions, 485..560), [485, 490, 550]);
    }

    #[test]
    fn every_question_counts_whatever_it_was_asked_for() {
        let mut questions = KeyQuestions::default();
        for second in [0, 100] {
            questions.asked(Timestamp::from_unix(second));
        }
        assert_eq!(flood(&mut questions, 101..200), [160]);
    }
}
