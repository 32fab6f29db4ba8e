//! What is said between a [`Seeding`](super::Seeding) and blocks, as bytes.
//! docs/format.md names every key.

use crate::allocate::{push, try_vec};
use crate::error::Result;
use crate::file::{
    Header, KIND, Layout, SEEDING, Source, Values, broken, choice, read_tensors, vector, wrong,
};
use crate::metric::Metric;
use crate::totals::Amount;

/// What memory is for.
const PURPOSE: &str = "a message of seeding";

/// To one block.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub metric: Metric,
    pub wanted: Asked,
}

#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Sum,
    Rows(Vec<Amount>),
    Weights,
}

/// From one block.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub dims: usize,
    /// Candidates that it knew of.
    pub candidates: usize,
    pub sum: Amount,
    /// Rows × dimensions.
    pub values: Vec<f32>,
    pub weights: Vec<Amount>,
    pub ends: Ends,
}

/// What the first answer of a block tells of its rows; those of weight 0 aside.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Ends {
    pub rows: u64,
    /// Without those that repeat the one before.
    pub unrepeated: u64,
    /// The first row and the last.
    pub values: Vec<f32>,
}

const ASKED: [&str; 3] = ["sum", "rows", "weights"];

impl Question {
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (name, positions) = match &self.wanted {
            Asked::Sum => (ASKED[0], &[][..]),
            Asked::Rows(positions) => (ASKED[1], &positions[..]),
            Asked::Weights => (ASKED[2], &[][..]),
        };
        let (lowest, digits) = digits(positions)?;
        let mut layout = Layout::new()?;
        layout.add(KIND, SEEDING)?;
        layout.add("metric", self.metric.name())?;
        layout.add("wanted", name)?;
        layout.add("lowest", lowest)?;
        layout.add("positions", positions.len())?;
        layout.add_tensor("digits", Values::U32(&digits))?;
        layout.finish()?.sign()?.to_bytes(PURPOSE)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut digits = Vec::new();
        let text = read_tensors(&mut Source::of_bytes(bytes), |source, tensor| {
            match &*tensor.name {
                "digits" => digits = vector(source, tensor, "U32")?,
                _ => source.skip(tensor.bytes())?,
            }
            Ok(())
        })?;
        let header = Header::parse(&text)?;
        let metric = check_kind(&header)?;
        let positions = (header.number("lowest")?, header.number("positions")?);
        let positions = amounts(positions, &digits, "digits")?;
        let wanted = choice(&header, "wanted", ASKED, |name| name)?;
        let wanted = match wanted {
            "sum" => Asked::Sum,
            "rows" if positions.is_sorted() => Asked::Rows(positions),
            "rows" => return Err(wrong("digits", "positions that don't ascend")),
            _ => Asked::Weights,
        };
        Ok(Question { metric, wanted })
    }
}

impl Answer {
    pub fn to_bytes(&self, metric: Metric) -> Result<Vec<u8>> {
        let (sum_lowest, sum) = digits(&[self.sum])?;
        let (weights_lowest, weights) = digits(&self.weights)?;
        let mut layout = Layout::new()?;
        layout.add(KIND, SEEDING)?;
        layout.add("metric", metric.name())?;
        layout.add("dims", self.dims)?;
        layout.add("candidates", self.candidates)?;
        layout.add("sum_lowest", sum_lowest)?;
        layout.add("weights_lowest", weights_lowest)?;
        layout.add("weights", self.weights.len())?;
        layout.add("rows", self.ends.rows)?;
        layout.add("unrepeated", self.ends.unrepeated)?;
        layout.add_tensor("sum_digits", Values::U32(&sum))?;
        layout.add_tensor("weights_digits", Values::U32(&weights))?;
        layout.add_tensor("values", Values::Floats(&self.values))?;
        layout.add_tensor("ends", Values::Floats(&self.ends.values))?;
        layout.finish()?.sign()?.to_bytes(PURPOSE)
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<(Metric, Self)> {
        let (mut sum, mut weights) = (Vec::new(), Vec::new());
        let (mut values, mut ends): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
        let text = read_tensors(&mut Source::of_bytes(bytes), |source, tensor| {
            match &*tensor.name {
                "sum_digits" => sum = vector(source, tensor, "U32")?,
                "weights_digits" => weights = vector(source, tensor, "U32")?,
                "values" => values = vector(source, tensor, "F32")?,
                "ends" => ends = vector(source, tensor, "F32")?,
                _ => source.skip(tensor.bytes())?,
            }
            Ok(())
        })?;
        let header = Header::parse(&text)?;
        let metric = check_kind(&header)?;
        let dims: usize = header.number("dims")?;
        if dims == 0 || values.len() % dims != 0 {
            return Err(wrong("values", "not as many for each row"));
        }
        if !(ends.is_empty() || ends.len() / 2 == dims && ends.len() % 2 == 0) {
            return Err(wrong("ends", "not the values of two rows"));
        }
        if values.iter().chain(&ends).any(|value| !value.is_finite()) {
            return Err(wrong("values", "a value that is not finite"));
        }
        let sum = amounts((header.number("sum_lowest")?, 1), &sum, "sum_digits")?;
        let of_weights = (header.number("weights_lowest")?, header.number("weights")?);
        let weights = amounts(of_weights, &weights, "weights_digits")?;
        let answer = Answer {
            dims,
            candidates: header.number("candidates")?,
            sum: sum.first().copied().unwrap_or(Amount::ZERO),
            values,
            weights,
            ends: Ends {
                rows: header.number("rows")?,
                unrepeated: header.number("unrepeated")?,
                values: ends,
            },
        };
        Ok((metric, answer))
    }
}

fn check_kind(header: &Header<'_>) -> Result<Metric> {
    if header.get(KIND) != Some(SEEDING) {
        return Err(broken(
            "it holds no message of seeding; pass what a Seeding or a block said",
        ));
    }
    let metrics = [Metric::Cosine, Metric::Euclidean];
    choice(header, "metric", metrics, |metric| metric.name())
}

/// The digits of all amounts, as many of each, from the first on that is not 0 in all.
fn digits(amounts: &[Amount]) -> Result<(usize, Vec<u32>)> {
    let all = |place: usize| amounts.iter().map(move |amount| amount.digit(place));
    let mut places = (0..Amount::DIGITS).filter(|&place| all(place).any(|digit| digit != 0));
    let lowest = places.next().unwrap_or(0);
    let highest = places.next_back().unwrap_or(lowest);
    let mut digits = Vec::new();
    for amount in amounts {
        for place in lowest..=highest {
            push(&mut digits, amount.digit(place), PURPOSE)?;
        }
    }
    Ok((lowest, digits))
}

/// So many amounts of their [`digits`].
fn amounts(
    (lowest, count): (usize, usize),
    digits: &[u32],
    name: &'static str,
) -> Result<Vec<Amount>> {
    if count > digits.len() || digits.len().checked_rem(count).unwrap_or(digits.len()) != 0 {
        return Err(wrong(name, "not as many digits for each amount"));
    }
    let mut amounts = try_vec(Amount::ZERO, count, PURPOSE)?;
    let width = digits.len().checked_div(count).unwrap_or(1);
    for (amount, digits) in amounts.iter_mut().zip(digits.chunks(width)) {
        *amount = Amount::from_digits(lowest, digits)
            .ok_or_else(|| wrong(name, "digits that no amount has"))?;
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_they_were() {
        let amount = |value: f64| Amount::of(&[value].into_iter().collect());
        for wanted in [
            Asked::Sum,
            Asked::Weights,
            Asked::Rows(Vec::new()),
            Asked::Rows(vec![Amount::ZERO; 3]),
            Asked::Rows(vec![
                Amount::ZERO,
                amount(1e-300),
                amount(3.5),
                amount(1e300),
            ]),
        ] {
            let metric = Metric::Euclidean;
            let question = Question { metric, wanted };
            let bytes = question.to_bytes().unwrap();
            assert_eq!(Question::from_bytes(&bytes).unwrap(), question);
            assert!(Answer::from_bytes(&bytes).is_err());
        }
        let mut answer = Answer {
            dims: 2,
            candidates: 7,
            sum: amount(0.1),
            values: vec![1.0, 2.0, -3.0, 4.0],
            weights: vec![amount(0.0), amount(7.25)],
            ends: Ends {
                rows: 5,
                unrepeated: 4,
                values: vec![1.0; 4],
            },
        };
        for _ in 0..2 {
            let bytes = answer.to_bytes(Metric::Cosine).unwrap();
            let (metric, read) = Answer::from_bytes(&bytes).unwrap();
            assert_eq!((metric, &read), (Metric::Cosine, &answer));
            (answer.values, answer.weights, answer.ends) = Default::default();
        }
    }

    #[test]
    fn broken_messages_are_errors() {
        let positions = vec![Amount::of(&[0.3].into_iter().collect()); 2];
        let question = Question {
            metric: Metric::Cosine,
            wanted: Asked::Rows(positions),
        };
        let bytes = question.to_bytes().unwrap();
        for len in 0..bytes.len() {
            assert!(Question::from_bytes(&bytes[..len]).is_err());
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << (at % 8);
            assert!(Question::from_bytes(&broken).is_err(), "byte {at}");
        }
        for (count, digits) in [(1, 0), (0, 1), (3, 4), (usize::MAX, 2)] {
            assert!(amounts((0, count), &vec![1; digits], "digits").is_err());
        }
        assert!(amounts((70, 1), &[1], "digits").is_err());
    }
}
