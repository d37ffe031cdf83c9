//! From values to places.

/// Round numbers between powers of ten.
const LEADS: [f64; 3] = [1.0, 2.0, 5.0];

/// Where values lie on an axis.
pub(in crate::report) enum Scale {
    /// From 0 to this.
    Linear(f64),
    /// Powers of ten, as exponents.
    Log(f64, f64),
    /// Percentiles: as far from 50 % to 90 % as from 90 % to 99 %, to so many nines.
    Percentile(f64),
}

impl Scale {
    /// From 0 to a round number at or above `highest`.
    pub(in crate::report) fn linear(highest: f64) -> Self {
        let step = step(highest);
        Self::Linear(if highest > 0.0 { (highest / step - 1e-9).ceil() * step } else { 1.0 })
    }

    /// From 0 to exactly `highest`.
    pub(in crate::report) fn until(highest: f64) -> Self {
        Self::Linear(if highest > 0.0 { highest } else { 1.0 })
    }

    /// Linear, but logarithmic where the values lie more than a factor of 30 apart.
    pub(in crate::report) fn spanning(lowest: f64, highest: f64) -> Self {
        if lowest > 0.0 && highest / lowest > 30.0 {
            let (from, to) = (lowest.log10().floor() as i32, highest.log10().ceil() as i32);
            let rounds = || (from..=to).flat_map(|exponent| LEADS.map(|lead| (lead * 10.0_f64.powi(exponent)).log10()));
            let below = rounds().filter(|round| *round <= lowest.log10() + 1e-9).fold(f64::from(from), f64::max);
            let above = rounds().filter(|round| *round >= highest.log10() - 1e-9).fold(f64::from(to), f64::min);
            Self::Log(below, above)
        } else {
            Self::linear(highest)
        }
    }

    pub(in crate::report) fn is_logarithmic(&self) -> bool {
        matches!(self, Self::Log(..))
    }

    /// 0 at the beginning of the axis, 1 at its end.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = match self {
            Self::Linear(to) => value / to,
            Self::Log(from, to) => (value.max(f64::MIN_POSITIVE).log10() - from) / (to - from),
            Self::Percentile(most) => nines(value).min(*most) / most,
        };
        share.clamp(0.0, 1.0)
    }

    /// What is written at the axis.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Linear(to) => {
                let step = step(*to);
                let count = (to / step + 1e-9).floor() as u32;
                (0..=count).map(|number| f64::from(number) * step).map(|value| (value, short(value))).collect()
            }
            Self::Log(from, to) => {
                let between: &[f64] = if to - from <= 3.0 { &LEADS } else { &[1.0] };
                let exponents = (from.floor() as i32)..=(to.ceil() as i32);
                let all = exponents.flat_map(|exponent| between.iter().map(move |lead| lead * 10.0_f64.powi(exponent)));
                let shown = all.filter(|value| (from - 1e-9..=to + 1e-9).contains(&value.log10()));
                shown.map(|value| (value, short(value))).collect()
            }
            Self::Percentile(most) => {
                let all = [(0.0, "0 %"), (50.0, "50 %"), (90.0, "90 %"), (99.0, "99 %"), (99.9, "99.9 %")];
                let rare = [(99.99, "99.99 %"), (99.999, "99.999 %"), (99.9999, "99.9999 %")];
                let all = all.into_iter().chain(rare).filter(|(value, _)| nines(*value) <= *most + 1e-9);
                all.map(|(value, label)| (value, label.to_owned())).collect()
            }
        }
    }
}

/// 90 % is 1, 99 % is 2, and so on.
pub(in crate::report) fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).max(1e-9).log10()
}

/// 1, 2 or 5 times a power of ten, four to ten of which make up `highest`.
fn step(highest: f64) -> f64 {
    let rough = highest / 5.0;
    if rough <= 0.0 || !rough.is_finite() {
        return 1.0;
    }
    let power = 10.0_f64.powf(rough.log10().floor());
    let lead = rough / power;
    let lead = [1.0, 2.0, 5.0].into_iter().find(|round| lead <= *round * 1.000_001).unwrap_or(10.0);
    lead * power
}

/// Few letters, no more digits than it takes.
fn short(value: f64) -> String {
    let (value, unit) = if value >= 1e6 { (value / 1e6, " M") } else { (value, "") };
    let digits = if value >= 10.0 || value == 0.0 { 1 } else { 3 };
    let text = format!("{value:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(labels(&Scale::linear(87.0)), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&Scale::linear(0.25)), ["0", "0.05", "0.1", "0.15", "0.2", "0.25"]);
        assert_eq!(labels(&Scale::linear(0.0)).first().unwrap(), "0");
        assert_eq!(labels(&Scale::until(33.0)), ["0", "10", "20", "30"]);
        assert_eq!(labels(&Scale::linear(4e6)).last().unwrap(), "4 M");
    }

    #[test]
    fn wide_ranges_are_logarithmic() {
        let wide = Scale::spanning(0.3, 120.0);
        assert!(wide.is_logarithmic() && !Scale::spanning(10.0, 120.0).is_logarithmic());
        assert_eq!(labels(&wide), ["0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "200"]);
        assert!((wide.share(40.0_f64.sqrt()) - 0.5).abs() < 1e-9);
        assert_eq!(labels(&Scale::spanning(0.07, 7_000.0)), ["0.1", "1", "10", "100", "1000", "10000"]);
        assert_eq!(wide.share(0.0), 0.0);
    }

    #[test]
    fn every_nine_is_as_wide_as_the_last() {
        let scale = Scale::Percentile(3.0);
        assert_eq!(labels(&scale), ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
        let at = |percent| (scale.share(percent) * 300.0).round();
        assert_eq!((at(90.0), at(99.0), at(99.9), at(100.0)), (100.0, 200.0, 300.0, 300.0));
    }
}
