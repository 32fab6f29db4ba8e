//! Partials as bytes, to be sent or kept. docs/format.md names every key.

use super::Partial;
use super::candidates::{Candidates, FarRow, LastRow};
use crate::allocate::{collect, push, try_vec};
use crate::error::Result;
use crate::file::{
    Header, KIND, Layout, PARTIAL, Source, Values, broken, choice, read_tensors, vector, wrong,
};
use crate::metric::Metric;
use crate::totals::{ExactSum, WideSums};

/// Cosine distances of 0 may be rounded to less.
const ROUNDING: f64 = 1e-9;

/// What memory is for.
const PURPOSE: &str = "a partial from bytes";

impl Partial {
    /// The partial as bytes in the layout of safetensors, which docs/format.md
    /// names. They are a function of what it tells and of how it was merged.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let columns = Columns::of(self)?;
        lay_out(self, &columns)?
            .sign()?
            .to_bytes("a partial as bytes")
    }

    /// The length of what [`to_bytes`](Partial::to_bytes) returns.
    pub fn serialized_size(&self) -> Result<usize> {
        Ok(lay_out(self, &Columns::of(self)?)?.size())
    }

    /// [`to_bytes`](Partial::to_bytes) into memory of that length.
    pub(crate) fn write_bytes(&self, out: &mut [u8]) -> Result<()> {
        lay_out(self, &Columns::of(self)?)?.sign()?.write(out);
        Ok(())
    }

    /// The partial that [`to_bytes`](Partial::to_bytes) gave these bytes for.
    ///
    /// They may be anything: what is not a whole partial is an error
    /// ([`KMeansError::InvalidFile`](crate::KMeansError::InvalidFile), or
    /// [`NewerFile`](crate::KMeansError::NewerFile)),
    /// found in memory of no more than their length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Partial> {
        read(Source::of_bytes(bytes))
    }
}

/// The columns of [`Candidates`], as they are written.
#[derive(Default)]
struct Columns {
    distances: Vec<f64>,
    fingerprints: Vec<u32>,
    clusters: Vec<u32>,
    counts: Vec<u64>,
    last_distances: Vec<f64>,
    last_fingerprints: Vec<u32>,
    inertia: Vec<u64>,
}

impl Columns {
    fn of(partial: &Partial) -> Result<Self> {
        let mut columns = Columns::default();
        for row in &partial.candidates.rows {
            push(&mut columns.distances, row.distance, PURPOSE)?;
            push(&mut columns.fingerprints, row.fingerprint, PURPOSE)?;
            push(&mut columns.clusters, row.cluster, PURPOSE)?;
            push(&mut columns.counts, row.count, PURPOSE)?;
        }
        for last in &partial.candidates.last {
            push(&mut columns.last_distances, last.distance, PURPOSE)?;
            push(&mut columns.last_fingerprints, last.fingerprint, PURPOSE)?;
        }
        for digit in partial.inertia.digits() {
            push(&mut columns.inertia, digit as u64, PURPOSE)?;
        }
        Ok(columns)
    }
}

/// Lays out a partial, of which `columns` are.
fn lay_out<'a>(partial: &'a Partial, columns: &'a Columns) -> Result<Layout<'a>> {
    let mut layout = Layout::new()?;
    layout.add(KIND, PARTIAL)?;
    layout.add("metric", partial.metric.name())?;
    layout.add("centroids", partial.centroids)?;
    if partial.offset != 0 {
        layout.add("offset", partial.offset)?;
    }
    if let Some(changed) = partial.changed {
        layout.add("changed", changed)?;
    }
    layout.add("words", partial.sums.words())?;
    layout.add_tensor("counts", Values::Words(&partial.counts))?;
    layout.add_tensor("units", Values::I32(partial.sums.low()))?;
    layout.add_tensor("sums", Values::Words(partial.sums.values()))?;
    layout.add_tensor("inertia", Values::Words(&columns.inertia))?;
    let far = &partial.candidates;
    if !far.last.is_empty() {
        layout.add_tensor("last_distances", Values::F64(&columns.last_distances))?;
        let fingerprints = Values::U32(&columns.last_fingerprints);
        layout.add_tensor("last_fingerprints", fingerprints)?;
    }
    if let Some(sums) = &far.sums {
        layout.add("far_words", sums.words())?;
        layout.add_tensor("far_distances", Values::F64(&columns.distances))?;
        layout.add_tensor("far_fingerprints", Values::U32(&columns.fingerprints))?;
        layout.add_tensor("far_clusters", Values::U32(&columns.clusters))?;
        layout.add_tensor("far_counts", Values::Words(&columns.counts))?;
        layout.add_tensor("far_values", Values::Floats(&far.values))?;
        layout.add_tensor("far_units", Values::I32(sums.low()))?;
        layout.add_tensor("far_sums", Values::Words(sums.values()))?;
    }
    layout.finish()
}

/// The tensors that are known.
#[derive(Default)]
struct Tensors {
    columns: Columns,
    counts: Vec<u64>,
    units: Vec<i32>,
    sums: Vec<u64>,
    far_values: Vec<f32>,
    far_units: Vec<i32>,
    far_sums: Vec<u64>,
}

/// Reads a partial.
fn read(mut source: Source<'_, &[u8]>) -> Result<Partial> {
    let mut all = Tensors::default();
    let text = read_tensors(&mut source, |source, tensor| {
        let columns = &mut all.columns;
        match &*tensor.name {
            "counts" => all.counts = vector(source, tensor, "U64")?,
            "units" => all.units = vector(source, tensor, "I32")?,
            "sums" => all.sums = vector(source, tensor, "U64")?,
            "inertia" => columns.inertia = vector(source, tensor, "U64")?,
            "last_distances" => columns.last_distances = vector(source, tensor, "F64")?,
            "last_fingerprints" => columns.last_fingerprints = vector(source, tensor, "U32")?,
            "far_distances" => columns.distances = vector(source, tensor, "F64")?,
            "far_fingerprints" => columns.fingerprints = vector(source, tensor, "U32")?,
            "far_clusters" => columns.clusters = vector(source, tensor, "U32")?,
            "far_counts" => columns.counts = vector(source, tensor, "U64")?,
            "far_values" => all.far_values = vector(source, tensor, "F32")?,
            "far_units" => all.far_units = vector(source, tensor, "I32")?,
            "far_sums" => all.far_sums = vector(source, tensor, "U64")?,
            _ => source.skip(tensor.bytes())?,
        }
        Ok(())
    })?;
    let header = Header::parse(&text)?;
    if header.get(KIND) != Some(PARTIAL) {
        return Err(broken("it holds a model, not a partial; load it as one"));
    }
    let metrics = [Metric::Cosine, Metric::Euclidean];
    let metric = choice(&header, "metric", metrics, |metric| metric.name())?;
    let changed = match header.get("changed") {
        Some(_) => Some(header.number("changed")?),
        None => None,
    };
    let sums = WideSums::from_parts(header.number("words")?, all.units, all.sums)
        .ok_or_else(|| wrong("sums", "values that no sums of rows have"))?;
    if sums.rows() != all.counts.len() || all.counts.is_empty() || sums.cols() < 2 {
        return Err(wrong("counts", "not a value for each row of sums"));
    }
    let far_sums = match all.far_sums.is_empty() {
        true => None,
        false => Some(
            WideSums::from_parts(header.number("far_words")?, all.far_units, all.far_sums)
                .ok_or_else(|| wrong("far_sums", "values that no sums of rows have"))?,
        ),
    };
    let digits = all.columns.inertia.iter().map(|&digit| digit as i64);
    let digits: Vec<i64> = collect(digits, PURPOSE)?;
    let inertia = ExactSum::from_digits(&digits)
        .ok_or_else(|| wrong("inertia", "values that no exact sum has"))?;
    let candidates = candidates(&all.columns, all.far_values, far_sums, &sums, &all.counts)?;
    Ok(Partial {
        metric,
        centroids: header.number("centroids")?,
        offset: match header.get("offset") {
            Some(_) => header.number("offset")?,
            None => 0,
        },
        sums,
        counts: all.counts,
        inertia,
        changed,
        candidates,
    })
}

/// The farthest rows, if they fit together and to the clusters.
fn candidates(
    columns: &Columns,
    values: Vec<f32>,
    far_sums: Option<WideSums>,
    sums: &WideSums,
    counts: &[u64],
) -> Result<Candidates> {
    let (clusters, dims) = (counts.len(), sums.cols() - 1);
    let rows = columns.distances.len();
    let lengths = [
        columns.fingerprints.len(),
        columns.clusters.len(),
        columns.counts.len(),
        far_sums.as_ref().map_or(0, WideSums::rows),
        values.len() / dims,
    ];
    if lengths != [rows; 5] || values.len() != rows * dims {
        return Err(wrong(
            "far_distances",
            "not a value for each of the far rows",
        ));
    }
    if far_sums
        .as_ref()
        .is_some_and(|sums| sums.cols() != dims + 1)
    {
        return Err(wrong("far_units", "not a value for each column of sums"));
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(wrong("far_values", "a value that is not finite"));
    }
    let last = columns.last_distances.len();
    if columns.last_fingerprints.len() != last || (last != 0 && last != clusters) {
        return Err(wrong("last_distances", "not a value for each cluster"));
    }
    if last == 0 && (rows > 0 || counts.contains(&0)) {
        return Err(wrong(
            "counts",
            "empty clusters, but there are no last rows",
        ));
    }
    if columns
        .last_distances
        .iter()
        .any(|&distance| distance.is_nan() || distance < -ROUNDING)
    {
        return Err(wrong("last_distances", "a value that is no distance"));
    }
    let mut far = Candidates::none();
    far.rows = try_vec(
        FarRow {
            distance: 0.0,
            fingerprint: 0,
            cluster: 0,
            count: 0,
        },
        rows,
        PURPOSE,
    )?;
    for (rank, row) in far.rows.iter_mut().enumerate() {
        *row = FarRow {
            distance: columns.distances[rank],
            fingerprint: columns.fingerprints[rank],
            cluster: columns.clusters[rank],
            count: columns.counts[rank],
        };
        let count = counts.get(row.cluster as usize);
        if count.is_none_or(|&count| row.count > count || row.count == 0) {
            return Err(wrong("far_clusters", "a cluster that has not so many rows"));
        }
        if !(row.distance > 0.0 && row.distance.is_finite()) {
            return Err(wrong("far_distances", "a value that is no distance"));
        }
    }
    let both = columns
        .last_distances
        .iter()
        .zip(&columns.last_fingerprints);
    for (&distance, &fingerprint) in both {
        let last = LastRow {
            distance,
            fingerprint,
        };
        push(&mut far.last, last, PURPOSE)?;
    }
    (far.values, far.sums) = (values, far_sums);
    Ok(far)
}
