//! Differences of means with confidence intervals: Welch's t-interval over whole runs, each run one observation. Requests
//! within a run are not independent of each other, so a single run says nothing about how runs vary.

/// The mean and the spread of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) count: usize,
    pub(super) mean: f64,
    /// Of the sample, with n - 1; 0 for a single run.
    pub(super) variance: f64,
}

/// The interval in which a difference lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Summary {
    /// Nothing without a value.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = if count > 1 { squares / (count - 1) as f64 } else { 0.0 };
        Some(Self { count, mean, variance })
    }

    fn error(&self) -> f64 {
        self.variance / self.count as f64
    }
}

/// How much `candidate` lies above `base`; nothing unless both sides have two runs or more.
pub(super) fn difference(base: &Summary, candidate: &Summary) -> Option<Interval> {
    if base.count < 2 || candidate.count < 2 {
        return None;
    }
    let difference = candidate.mean - base.mean;
    let squared = base.error() + candidate.error();
    if squared == 0.0 {
        // Every run of a side was the same to the last digit.
        return Some(Interval { low: difference, high: difference });
    }
    let spread = |side: &Summary| side.error().powi(2) / (side.count - 1) as f64;
    let freedom = squared.powi(2) / (spread(base) + spread(candidate));
    let margin = t_quantile(0.975, freedom) * squared.sqrt();
    Some(Interval { low: difference - margin, high: difference + margin })
}

/// The value that Student's t with this many degrees of freedom stays below with this probability (above one half).
fn t_quantile(probability: f64, freedom: f64) -> f64 {
    let mut low = 0.0;
    let mut high = 1.0;
    while t_below(high, freedom) < probability && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if t_below(middle, freedom) < probability { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability that Student's t stays below `t`, which is not negative.
fn t_below(t: f64, freedom: f64) -> f64 {
    1.0 - 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The regularised incomplete beta function.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The continued fraction converges quickly on this side only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln();
    front.exp() * beta_fraction(x, a, b) / a
}

/// Its continued fraction, by the modified method of Lentz.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for number in 1..500 {
        let m = f64::from(number);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            result *= d * c;
        }
        if (result - before).abs() < 1e-15 * result.abs() {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function above zero: shifted upwards, then Stirling's series.
fn ln_gamma(value: f64) -> f64 {
    let mut shifted = value;
    let mut product = 1.0;
    while shifted < 12.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / shifted;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1_260.0 - square / 1_680.0)));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, known: f64, digits: f64) {
        assert!((found - known).abs() < 10.0_f64.powf(-digits), "{found} is not {known}");
    }

    #[test]
    fn quantiles_of_t_are_those_of_the_tables() {
        for (freedom, known) in
            [(1.0, 12.706_2), (2.0, 4.302_7), (4.0, 2.776_4), (10.0, 2.228_1), (30.0, 2.042_3), (1_000.0, 1.962_3)]
        {
            close(t_quantile(0.975, freedom), known, 4.0);
        }
    }

    #[test]
    fn gamma_is_known_at_whole_and_half_numbers() {
        close(ln_gamma(5.0), 24.0_f64.ln(), 10.0);
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 10.0);
        close(ln_gamma(1.0), 0.0, 10.0);
    }

    #[test]
    fn welch_agrees_with_an_example_worked_by_hand() {
        // Means 12 and 20, variances 10 and 40, five each: error sqrt(2 + 8), 5.8824 degrees of freedom.
        let base = Summary::of(&[8.0, 10.0, 12.0, 14.0, 16.0]).unwrap();
        let candidate = Summary::of(&[12.0, 16.0, 20.0, 24.0, 28.0]).unwrap();
        assert_eq!((base.mean, base.variance, candidate.mean, candidate.variance), (12.0, 10.0, 20.0, 40.0));
        let Interval { low, high } = difference(&base, &candidate).unwrap();
        close(f64::midpoint(low, high), 8.0, 10.0);
        let margin = t_quantile(0.975, 100.0 / 17.0) * 10.0_f64.sqrt();
        close((high - low) / 2.0, margin, 10.0);
        // Between the quantiles of the tables for 5 and for 6 degrees of freedom.
        assert!((2.446_9..2.570_6).contains(&(margin / 10.0_f64.sqrt())), "{margin}");
    }

    #[test]
    fn one_run_on_a_side_says_nothing() {
        let one = Summary::of(&[1.0]).unwrap();
        let many = Summary::of(&[5.0, 5.1, 4.9]).unwrap();
        assert_eq!((difference(&one, &many), difference(&many, &one)), (None, None));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn runs_that_are_all_the_same_differ_by_exactly_that() {
        let (two, three) = (Summary::of(&[2.0, 2.0]).unwrap(), Summary::of(&[3.0, 3.0]).unwrap());
        assert_eq!(difference(&two, &three), Some(Interval { low: 1.0, high: 1.0 }));
    }
}
