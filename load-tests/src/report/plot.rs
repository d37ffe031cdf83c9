//! Plots as SVG: small, without scripts, readable in light and dark (colours are classes of the page's style sheet).

use std::fmt::Write as _;

use super::escape::Escaped;

mod scale;

pub(super) use scale::Scale;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// About the width of a letter of the legend.
const LETTER: f64 = 6.4;

/// A plot.
pub(super) struct Plot {
    /// Unique on the page.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// Stands on the axis, one on top of the other.
    pub(super) bars: Vec<Line>,
}

/// An axis.
pub(super) struct Axis {
    /// With the unit.
    pub(super) label: String,
    pub(super) scale: Scale,
}

/// Points that belong together.
pub(super) struct Line {
    pub(super) name: String,
    /// The number of its colour.
    pub(super) colour: usize,
    pub(super) dotted: bool,
    /// Without a value the line is broken.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl Line {
    pub(super) fn new(name: &str, colour: usize, points: Vec<(f64, Option<f64>)>) -> Self {
        Self { name: name.to_owned(), colour, dotted: false, points }
    }

    pub(super) fn dotted(self) -> Self {
        Self { dotted: true, ..self }
    }

    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(|(_, value)| *value)
    }

    /// The smallest and the largest of its values, for those who cannot see the plot.
    fn described(&self) -> String {
        let (low, high) =
            self.values().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high { format!("{}: nothing", self.name) } else { format!("{}: {low:.1} to {high:.1}", self.name) }
    }
}

impl Plot {
    /// The largest value of all lines.
    pub(super) fn highest(lines: &[Line]) -> f64 {
        lines.iter().flat_map(Line::values).fold(0.0, f64::max)
    }

    /// The smallest value above zero.
    pub(super) fn lowest(lines: &[Line]) -> f64 {
        lines.iter().flat_map(Line::values).filter(|value| *value > 0.0).fold(f64::MAX, f64::min)
    }

    /// The SVG element.
    pub(super) fn svg(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _infallible = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (id, title) = (Escaped(&self.id), Escaped(&self.title));
        let described: Vec<_> = self.lines.iter().chain(&self.bars).map(Line::described).collect();
        let described = format!("{} against {}. {}.", self.y.label, self.x.label, described.join("; "));
        writeln!(
            out,
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{}</desc>",
            Escaped(&described)
        )?;
        self.write_axes(out)?;
        self.write_bars(out)?;
        for line in &self.lines {
            self.write_line(out, line)?;
        }
        self.write_legend(out)?;
        writeln!(out, "</svg>")
    }

    fn write_axes(&self, out: &mut String) -> std::fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, label) in self.y.scale.ticks() {
            let y = self.y_at(value);
            writeln!(out, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>")?;
            let (x, y) = (LEFT - 6.0, y + 4.0);
            writeln!(
                out,
                "<text class=\"tick\" x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
                Escaped(&label)
            )?;
        }
        for (value, label) in self.x.scale.ticks() {
            let (x, y) = (self.x_at(value), bottom + 16.0);
            writeln!(out, "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>")?;
            writeln!(
                out,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
                Escaped(&label)
            )?;
        }
        writeln!(out, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>")?;
        let (x, y) = (f64::midpoint(LEFT, right), HEIGHT - 8.0);
        writeln!(
            out,
            "<text class=\"label\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
            Escaped(&self.x.label)
        )?;
        let middle = f64::midpoint(TOP, bottom);
        writeln!(
            out,
            "<text class=\"label\" transform=\"translate(13 {middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            Escaped(&self.y.label)
        )
    }

    fn write_line(&self, out: &mut String, line: &Line) -> std::fmt::Result {
        let class = format!("line c{}{}", line.colour, if line.dotted { " dotted" } else { "" });
        let mut path = String::new();
        let mut lonely = Vec::new();
        let mut stretch = Vec::new();
        for (x, value) in line.points.iter().copied().chain([(0.0, None)]) {
            match value {
                Some(value) => stretch.push((self.x_at(x), self.y_at(value))),
                None => {
                    if let [one] = stretch.as_slice() {
                        lonely.push(*one);
                    }
                    for (number, (x, y)) in stretch.drain(..).enumerate() {
                        write!(path, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' })?;
                    }
                }
            }
        }
        if !path.is_empty() {
            writeln!(out, "<path class=\"{class}\" d=\"{path}\"/>")?;
        }
        for (x, y) in lonely {
            writeln!(out, "<circle class=\"dot c{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>", line.colour)?;
        }
        Ok(())
    }

    fn write_bars(&self, out: &mut String) -> std::fmt::Result {
        let count = self.bars.iter().map(|bar| bar.points.len()).max().unwrap_or_default();
        let width = ((WIDTH - LEFT - RIGHT) / (count.max(1) as f64) * 0.8).clamp(1.0, 24.0);
        let mut floors = vec![0.0; count];
        for bar in &self.bars {
            for ((x, value), floor) in bar.points.iter().zip(&mut floors) {
                let Some(value) = value.filter(|value| *value > 0.0) else { continue };
                let (low, high) = (self.y_at(*floor), self.y_at(*floor + value));
                *floor += value;
                let (x, height) = (self.x_at(*x) - width / 2.0, (low - high).max(0.5));
                writeln!(
                    out,
                    "<rect class=\"bar c{}\" x=\"{x:.1}\" y=\"{high:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
                    bar.colour
                )?;
            }
        }
        Ok(())
    }

    /// One line above the plot; what does not fit is in the description.
    fn write_legend(&self, out: &mut String) -> std::fmt::Result {
        let mut x = LEFT;
        for line in self.lines.iter().chain(&self.bars) {
            let name = shortened(&line.name);
            let end = x + 32.0 + name.chars().count() as f64 * LETTER;
            if end > WIDTH {
                break;
            }
            let (dotted, to, text) = (if line.dotted { " dotted" } else { "" }, x + 16.0, x + 21.0);
            writeln!(
                out,
                "<line class=\"line c{}{dotted}\" x1=\"{x}\" x2=\"{to}\" y1=\"16\" y2=\"16\"/>\
                 <text class=\"legend\" x=\"{text}\" y=\"20\">{}</text>",
                line.colour,
                Escaped(&name)
            )?;
            x = end;
        }
        Ok(())
    }

    fn x_at(&self, value: f64) -> f64 {
        LEFT + self.x.scale.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_at(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.scale.share(value) * (HEIGHT - TOP - BOTTOM)
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= 40 { name.to_owned() } else { name.chars().take(38).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(lines: Vec<Line>, bars: Vec<Line>) -> String {
        let axis = |label: &str, to| Axis { label: label.to_owned(), scale: Scale::linear(to) };
        let (id, title) = ("p1".to_owned(), "Latency <over> time".to_owned());
        Plot { id, title, x: axis("seconds", 10.0), y: axis("ms", 100.0), lines, bars }.svg()
    }

    #[test]
    fn a_plot_says_what_it_shows_to_those_who_cannot_see_it() {
        let svg = plot(vec![Line::new("p50 & more", 0, vec![(0.0, Some(1.0)), (1.0, Some(3.5))])], Vec::new());
        assert!(svg.contains("<title id=\"p1-t\">Latency &lt;over&gt; time</title>"));
        assert!(svg.contains("<desc id=\"p1-d\">ms against seconds. p50 &amp; more: 1.0 to 3.5.</desc>"), "{svg}");
        assert!(svg.contains("role=\"img\" aria-labelledby=\"p1-t p1-d\""));
    }

    #[test]
    fn a_line_is_broken_where_nothing_was_measured() {
        let points = vec![(0.0, Some(0.0)), (5.0, Some(100.0)), (6.0, None), (10.0, Some(50.0))];
        let svg = plot(vec![Line::new("p50", 2, points)], Vec::new());
        assert!(svg.contains("<path class=\"line c2\" d=\"M64.0 226.0L344.0 34.0M624.0 130.0\"/>"), "{svg}");
        assert!(svg.contains("<circle class=\"dot c2\" cx=\"624.0\" cy=\"130.0\""));
    }

    #[test]
    fn bars_stand_on_each_other() {
        let bar = |value| Line::new("503", 1, vec![(5.0, Some(value))]);
        let svg = plot(Vec::new(), vec![bar(25.0), bar(50.0)]);
        assert!(svg.contains("y=\"178.0\" width=\"24.0\" height=\"48.0\""), "{svg}");
        assert!(svg.contains("y=\"82.0\" width=\"24.0\" height=\"96.0\""), "{svg}");
    }
}
