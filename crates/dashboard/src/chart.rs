//! Charts, as coordinates for SVG: bars on each other, and lines that break where there is nothing to show. What they show
//! is not known here.

use crate::shown::Shown;

/// The drawing, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 180.0;
/// Above the highest value.
const MARGIN: f64 = 8.0;
/// The widest bar: a few days do not fill the drawing.
const WIDEST: f64 = 48.0;

/// A chart with its table.
#[derive(Debug)]
pub(crate) struct Chart {
    pub id: &'static str,
    pub title: &'static str,
    /// What the rows of the table are.
    pub unit: &'static str,
    pub names: Vec<&'static str>,
    /// A label for each place, and a value of each series if there is one.
    pub rows: Vec<(Shown, Vec<Option<f64>>)>,
    pub kind: Kind,
    /// A value with a line across the chart, and what it is.
    pub mark: Option<(f64, &'static str)>,
}

/// How it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bars on each other.
    Bars,
    /// A line for each series.
    Lines,
    /// A bar for each label beside it, of one series.
    Ranking,
}

/// A bar.
#[derive(Debug, PartialEq)]
pub(crate) struct Bar {
    pub series: usize,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
}

/// A part of a line without gaps.
#[derive(Debug, PartialEq)]
pub(crate) struct Curve {
    pub series: usize,
    pub points: String,
}

impl Chart {
    /// Whether there is anything to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.iter().all(|(_, values)| values.iter().flatten().all(|value| *value <= 0.0))
    }

    /// The highest value, or the mark if that is higher.
    pub(crate) fn top(&self) -> f64 {
        let of_row = |values: &Vec<Option<f64>>| match self.kind {
            Kind::Bars => values.iter().flatten().sum(),
            Kind::Lines | Kind::Ranking => values.iter().flatten().copied().fold(0.0, f64::max),
        };
        let mark = self.mark.map_or(0.0, |(mark, _)| mark);
        self.rows.iter().map(|(_, values)| of_row(values)).fold(mark, f64::max)
    }

    /// The highest value as text.
    pub(crate) fn highest(&self) -> String {
        number(self.top())
    }

    /// The first and the last label.
    pub(crate) fn ends(&self) -> Option<(&Shown, &Shown)> {
        Some((&self.rows.first()?.0, &self.rows.last()?.0))
    }

    fn height_of(&self, value: f64) -> f64 {
        let top = self.top();
        if top > 0.0 { value / top * (HEIGHT - MARGIN) } else { 0.0 }
    }

    fn place_width(&self) -> f64 {
        // A chart has a few hundred places at most, which a double holds exactly.
        WIDTH / f64::from(u32::try_from(self.rows.len().max(1)).unwrap_or(u32::MAX))
    }

    /// Its bars.
    pub(crate) fn bars(&self) -> Vec<Bar> {
        if self.kind != Kind::Bars {
            return Vec::new();
        }
        let width = self.place_width();
        let mut bars = Vec::new();
        let mut x = 0.0;
        for (_, values) in &self.rows {
            let mut y = HEIGHT;
            for (series, value) in values.iter().enumerate() {
                let height = self.height_of(value.unwrap_or_default());
                y -= height;
                if height > 0.0 {
                    let bar = (width * 0.8).min(WIDEST);
                    bars.push(Bar {
                        series,
                        x: number(x + (width - bar) / 2.0),
                        y: number(y),
                        width: number(bar),
                        height: number(height),
                    });
                }
            }
            x += width;
        }
        bars
    }

    /// Its lines. A value on its own is a short line.
    pub(crate) fn curves(&self) -> Vec<Curve> {
        if self.kind != Kind::Lines {
            return Vec::new();
        }
        let width = self.place_width();
        let mut curves = Vec::new();
        for series in 0..self.names.len() {
            let mut points: Vec<String> = Vec::new();
            let mut x = 0.0;
            for (_, values) in &self.rows {
                match values.get(series).copied().flatten() {
                    Some(value) => {
                        let y = number(HEIGHT - self.height_of(value));
                        if points.is_empty() {
                            points.push(format!("{},{y}", number(x + width * 0.4)));
                        }
                        points.push(format!("{},{y}", number(x + width * 0.6)));
                    }
                    None if points.is_empty() => {}
                    None => curves.push(Curve { series, points: std::mem::take(&mut points).join(" ") }),
                }
                x += width;
            }
            if !points.is_empty() {
                curves.push(Curve { series, points: points.join(" ") });
            }
        }
        curves
    }

    /// The labels of a ranking, each with the length of its bar in percent, and its value.
    pub(crate) fn ranking(&self) -> Vec<(&Shown, String, String)> {
        if self.kind != Kind::Ranking {
            return Vec::new();
        }
        let top = self.top().max(f64::MIN_POSITIVE);
        let row = |values: &[Option<f64>]| {
            let value = values.first().copied().flatten();
            (number(value.unwrap_or_default() / top * 100.0), self::value(&value))
        };
        let rows = self.rows.iter().map(|(label, values)| (label, row(values)));
        rows.map(|(label, (length, value))| (label, length, value)).collect()
    }

    /// Where the mark is.
    pub(crate) fn mark_y(&self) -> Option<String> {
        self.mark.map(|(mark, _)| number(HEIGHT - self.height_of(mark)))
    }
}

/// A number with one digit after the point, or none.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A value of a table, with two digits after the point at most; a dash stands for none.
pub(crate) fn value(value: &Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(kind: Kind, rows: &[&[Option<f64>]]) -> Chart {
        let rows = rows.iter().map(|values| (Shown::line("day"), values.to_vec())).collect();
        Chart {
            id: "c",
            title: "c",
            unit: "day",
            names: vec!["a", "b"],
            rows,
            kind,
            mark: Some((4.0, "mark")),
        }
    }

    #[test]
    fn bars_stand_on_each_other_up_to_the_highest() {
        let chart = chart(Kind::Bars, &[&[Some(3.0), Some(5.0)], &[Some(0.0), None]]);
        assert_eq!((chart.highest().as_str(), chart.mark_y().as_deref()), ("8", Some("94")));
        let bars = chart.bars();
        assert_eq!(bars.len(), 2);
        assert_eq!((bars[0].y.as_str(), bars[0].height.as_str()), ("115.5", "64.5"));
        assert_eq!((bars[1].y.as_str(), bars[1].height.as_str()), ("8", "107.5"));
        assert!(chart.curves().is_empty() && !chart.is_empty());
    }

    #[test]
    fn lines_break_where_there_is_nothing() {
        let rows: [&[Option<f64>]; 4] =
            [&[Some(1.0), None], &[Some(2.0), None], &[None, None], &[Some(8.0), Some(0.0)]];
        let curves = chart(Kind::Lines, &rows).curves();
        let series: Vec<_> = curves.iter().map(|curve| curve.series).collect();
        assert_eq!(series, [0, 0, 1]);
        assert_eq!(curves[0].points, "60,158.5 90,158.5 240,137");
        let ranking = chart(Kind::Ranking, &[&[Some(8.0)], &[Some(2.0)]]);
        let lengths: Vec<_> =
            ranking.ranking().into_iter().map(|(_, length, value)| (length, value)).collect();
        assert_eq!(lengths, [("100".into(), "8".into()), ("25".into(), "2".to_owned())]);
        for (value, text) in [(Some(250.55), "250.55"), (Some(100.0), "100"), (Some(0.004), "0"), (None, "–")]
        {
            assert_eq!(self::value(&value), text);
        }
        assert!(chart(Kind::Lines, &[]).curves().is_empty() && chart(Kind::Bars, &[]).is_empty());
    }
}
