//! What a file holds of a model. docs/format.md names every key.

use super::format::{KIND, NO_CHECKSUM, PARTIAL, broken};
use super::header::{self, Header, Tensor};
use super::layout::{Layout, Values};
use super::source::{Number, Source};
use crate::allocate;
use crate::config::{Config, Init, Quality};
use crate::error::{KMeansError, Result};
use crate::fit::Fit;
use crate::metric::Metric;
use crate::owned::TryArc;
use ndarray::Array2;
use std::fmt;
use std::io::Read;

/// What memory is for.
const MODEL: &str = "a model from a file";

/// How far the length of a stored unit vector may be from 1: rounding its
/// values to float32 makes less.
const NEARLY_ONE: f64 = 1e-6;

/// Lays out a model; `fit` is what its training left behind.
pub(crate) fn lay_out<'a>(
    config: &'a Config,
    fit: Option<&'a Fit>,
    labels: bool,
) -> Result<Layout<'a>> {
    config.validate()?;
    let mut layout = Layout::new()?;
    layout.add("metric", config.metric.name())?;
    layout.add("n_clusters", config.n_clusters)?;
    layout.add("iterations", config.iterations)?;
    layout.add("balanced", config.balanced)?;
    layout.add("max_balance_diff", config.max_balance_diff)?;
    layout.add("use_medoids", config.use_medoids)?;
    layout.add("verbose", config.verbose)?;
    layout.add("seed", config.seed)?;
    layout.add("tolerance", format_args!("{:?}", config.tolerance))?;
    layout.add("init", config.init().name())?;
    layout.add("n_init", config.n_init)?;
    layout.add("quality", config.quality.name())?;
    if let Some((min_size, max_size)) = config.size_bounds {
        layout.add("min_size", min_size)?;
        layout.add("max_size", max_size)?;
    }
    if let Some(limit) = config.memory_limit {
        layout.add("memory_limit", limit)?;
    }
    match config.init() {
        Init::Centroids(init) => layout.add_tensor("init", Values::F32(init))?,
        Init::CentroidsF64(init) => layout.add_tensor("init", Values::MatrixF64(init))?,
        _ => (),
    }
    if let Some(fit) = fit {
        add_fit(&mut layout, fit, labels)?;
    }
    layout.finish()
}

fn add_fit<'a>(layout: &mut Layout<'a>, fit: &'a Fit, labels: bool) -> Result<()> {
    if fit.inertia.is_finite() {
        layout.add("inertia", format_args!("{:?}", fit.inertia))?;
    }
    layout.add("n_iter", fit.n_iter)?;
    if let Some(gap) = fit.balance_gap {
        layout.add("balance_gap", format_args!("{gap:?}"))?;
    }
    if let Some(info) = &fit.info {
        layout.add("info", info)?;
    }
    if !fit.warnings.is_empty() {
        layout.add("warnings", Lines(&fit.warnings))?;
    }
    let placed = fit.placed.as_ref().map(Values::F32);
    let less_offset = Values::Centroids(&fit.centroids);
    layout.add_tensor("centroids", placed.unwrap_or(less_offset))?;
    if let Some(offset) = &fit.offset {
        layout.add_tensor("offset", Values::F64(offset))?;
        layout.add_tensor("centroids_less_offset", less_offset)?;
    }
    if !fit.counts.is_empty() {
        layout.add_tensor("counts", Values::U64(&fit.counts))?;
    }
    if fit.is_weighted() {
        layout.add_tensor("cluster_weights", Values::F64(&fit.weights))?;
    }
    if let Some(prices) = &fit.prices {
        layout.add_tensor("prices", Values::F64(prices))?;
    }
    if let Some(medoids) = &fit.medoids {
        layout.add_tensor("medoid_indices", Values::U64(medoids))?;
    }
    if let Some(parents) = &fit.parents {
        layout.add_tensor("cluster_parents", Values::U32(parents))?;
    }
    if labels && !fit.labels.is_empty() {
        layout.add_tensor("labels", Values::U32(&fit.labels))?;
    }
    Ok(())
}

/// Texts, one a line.
struct Lines<'t>(&'t [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.0.iter().enumerate() {
            let end = if number > 0 { "\n" } else { "" };
            write!(out, "{end}{line}")?;
        }
        Ok(())
    }
}

/// Reads a model: its settings and, if it is trained, what training left
/// behind.
pub(crate) fn read(mut source: Source<'_, impl Read>) -> Result<(Config, Option<Fit>)> {
    let mut tensors = Tensors::default();
    let text = read_tensors(&mut source, |source, tensor| tensors.read(source, tensor))?;
    let header = Header::parse(&text)?;
    if header.get(KIND) == Some(PARTIAL) {
        return Err(broken("it holds a partial, not a model; read it as one"));
    }
    let config = read_config(&header, tensors.init.take())?;
    let fit = match tensors.centroids.take() {
        Some(centroids) => Some(read_fit(&header, &config, centroids, tensors)?),
        None => None,
    };
    Ok((config, fit))
}

/// Reads all of a file: `read` takes the tensors, one after the other. Returns
/// the header.
pub(crate) fn read_tensors<R: Read>(
    source: &mut Source<'_, R>,
    mut read: impl FnMut(&mut Source<'_, R>, &Tensor<'_>) -> Result<()>,
) -> Result<String> {
    let text = header::read_text(source)?;
    let header = Header::parse(&text)?;
    source.expect(header.bytes())?;
    let (checksum, place) = header.checksum()?;
    source.add_to_checksum(&text.as_bytes()[..place.start]);
    source.add_to_checksum(NO_CHECKSUM.as_bytes());
    source.add_to_checksum(&text.as_bytes()[place.end..]);
    for tensor in &header.tensors {
        read(source, tensor)?;
    }
    source.expect_end()?;
    if source.checksum() != checksum {
        return Err(broken(
            "its checksum is not that of its bytes: some were changed",
        ));
    }
    drop(header);
    Ok(text)
}

/// The tensors that are known.
#[derive(Default)]
struct Tensors {
    centroids: Option<Array2<f32>>,
    centroids_less_offset: Option<Array2<f32>>,
    offset: Option<Vec<f64>>,
    init: Option<Init>,
    counts: Option<Vec<usize>>,
    cluster_weights: Option<Vec<f64>>,
    prices: Option<Vec<f64>>,
    medoid_indices: Option<Vec<usize>>,
    cluster_parents: Option<Vec<u32>>,
    labels: Option<Vec<u32>>,
}

impl Tensors {
    fn read(&mut self, source: &mut Source<'_, impl Read>, tensor: &Tensor<'_>) -> Result<()> {
        match &*tensor.name {
            "centroids" => self.centroids = Some(matrix(source, tensor)?),
            "centroids_less_offset" => {
                self.centroids_less_offset = Some(matrix(source, tensor)?);
            }
            "offset" => self.offset = Some(vector(source, tensor, "F64")?),
            "init" if tensor.dtype == "F64" => {
                self.init = Some(Init::CentroidsF64(matrix(source, tensor)?));
            }
            "init" => self.init = Some(Init::Centroids(matrix(source, tensor)?)),
            "counts" => self.counts = Some(sizes(source, tensor)?),
            "cluster_weights" => self.cluster_weights = Some(vector(source, tensor, "F64")?),
            "prices" => self.prices = Some(vector(source, tensor, "F64")?),
            "medoid_indices" => self.medoid_indices = Some(sizes(source, tensor)?),
            "cluster_parents" => self.cluster_parents = Some(vector(source, tensor, "U32")?),
            "labels" => self.labels = Some(vector(source, tensor, "U32")?),
            _ => source.skip(tensor.bytes())?,
        }
        Ok(())
    }
}

/// The values of a tensor that must have so many dimensions.
fn values<T: Number>(
    source: &mut Source<'_, impl Read>,
    tensor: &Tensor<'_>,
    dtype: &str,
    dimensions: usize,
) -> Result<Vec<T>> {
    if tensor.dtype != dtype || tensor.dimensions != dimensions {
        return Err(broken(format_args!(
            "tensor {:?} must be {dtype} of {dimensions} dimensions",
            tensor.name
        )));
    }
    let shape = tensor.shape[..dimensions].iter();
    let len = shape.copied().try_fold(1, u64::checked_mul);
    let bytes = len.and_then(|len| len.checked_mul(T::WIDTH as u64));
    match len.and_then(|len| usize::try_from(len).ok()) {
        Some(len) if bytes == Some(tensor.bytes()) => source.read(len),
        _ => Err(broken(format_args!(
            "the shape of tensor {:?} does not fit its {} bytes",
            tensor.name,
            tensor.bytes()
        ))),
    }
}

pub(crate) fn vector<T: Number>(
    source: &mut Source<'_, impl Read>,
    tensor: &Tensor<'_>,
    dtype: &str,
) -> Result<Vec<T>> {
    values(source, tensor, dtype, 1)
}

fn sizes(source: &mut Source<'_, impl Read>, tensor: &Tensor<'_>) -> Result<Vec<usize>> {
    let numbers: Vec<u64> = vector(source, tensor, "U64")?;
    let mut sizes = allocate::with_capacity(numbers.len(), MODEL)?;
    for number in numbers {
        let size = usize::try_from(number);
        sizes.push(size.map_err(|_| wrong(&tensor.name, "a value that is too large"))?);
    }
    Ok(sizes)
}

/// A matrix of finite values, with at least one column.
fn matrix<T: Number + Into<f64>>(
    source: &mut Source<'_, impl Read>,
    tensor: &Tensor<'_>,
) -> Result<Array2<T>> {
    let dtype = if T::WIDTH == 8 { "F64" } else { "F32" };
    let values: Vec<T> = values(source, tensor, dtype, 2)?;
    let [rows, cols] = tensor.shape.map(|len| len as usize);
    if cols == 0 {
        return Err(wrong(&tensor.name, "no columns"));
    }
    if values.iter().any(|&value| !value.into().is_finite()) {
        return Err(wrong(&tensor.name, "a value that is not finite"));
    }
    Array2::from_shape_vec((rows, cols), values).map_err(|_| wrong(&tensor.name, "a shape"))
}

fn read_config(header: &Header<'_>, init: Option<Init>) -> Result<Config> {
    let flag = |key: &str| match header.value(key)? {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(header.wrong(key)),
    };
    let metrics = [Metric::Cosine, Metric::Euclidean];
    let qualities = [Quality::Fast, Quality::Default, Quality::Best];
    let init = match init {
        Some(init) => choice(header, "init", [init], Init::name)?,
        None => choice(header, "init", Init::drawn(), Init::name)?,
    };
    let config = Config {
        n_clusters: header.number("n_clusters")?,
        iterations: header.number("iterations")?,
        metric: choice(header, "metric", metrics, |metric| metric.name())?,
        balanced: flag("balanced")?,
        max_balance_diff: header.number("max_balance_diff")?,
        size_bounds: match header.get("min_size") {
            Some(_) => Some((header.number("min_size")?, header.number("max_size")?)),
            None => None,
        },
        use_medoids: flag("use_medoids")?,
        verbose: flag("verbose")?,
        seed: header.number("seed")?,
        tolerance: header.number("tolerance")?,
        init: match init {
            Init::Auto => None,
            init => Some(TryArc::new(init, MODEL)?),
        },
        n_init: header.number("n_init")?,
        quality: choice(header, "quality", qualities, |quality| quality.name())?,
        memory_limit: match header.get("memory_limit") {
            Some(_) => Some(header.number("memory_limit")?),
            None => None,
        },
    };
    config.validate().map_err(broken)?;
    Ok(config)
}

/// The one of `choices` whose name is in the metadata.
pub(crate) fn choice<T>(
    header: &Header<'_>,
    key: &str,
    choices: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> &'static str,
) -> Result<T> {
    let value = header.value(key)?;
    let mut choices = choices.into_iter();
    choices
        .find(|choice| name(choice) == value)
        .ok_or_else(|| header.wrong(key))
}

fn read_fit(
    header: &Header<'_>,
    config: &Config,
    centroids: Array2<f32>,
    tensors: Tensors,
) -> Result<Fit> {
    let optional = |key| match header.get(key) {
        Some(_) => Ok(Some(header.number::<f64>(key)?)),
        None => Ok(None),
    };
    let inertia = optional("inertia")?;
    let balance_gap = optional("balance_gap")?;
    if inertia.is_some_and(|inertia| !inertia.is_finite()) {
        return Err(header.wrong("inertia"));
    }
    if balance_gap.is_some_and(|gap| gap.is_nan()) {
        return Err(header.wrong("balance_gap"));
    }
    let mut warnings = Vec::new();
    for warning in header.get("warnings").into_iter().flat_map(str::lines) {
        allocate::push(&mut warnings, header::copy(warning)?, MODEL)?;
    }
    let (offset, less_offset) = (tensors.offset, tensors.centroids_less_offset);
    let (centroids, placed) = match (&offset, less_offset) {
        (None, None) => (centroids, None),
        (Some(_), Some(less_offset)) => (less_offset, Some(centroids)),
        _ => {
            return Err(wrong(
                "offset",
                "no centroids_less_offset beside, or these no offset",
            ));
        }
    };
    let counts = tensors.counts.unwrap_or_default();
    let weights = match tensors.cluster_weights {
        Some(weights) => weights,
        None => allocate::collect(counts.iter().map(|&count| count as f64), MODEL)?,
    };
    let fit = Fit {
        centroids: centroids.into(),
        offset,
        placed,
        labels: tensors.labels.unwrap_or_default(),
        counts,
        weights,
        inertia: inertia.unwrap_or(f64::INFINITY),
        n_iter: header.number("n_iter")?,
        medoids: tensors.medoid_indices,
        parents: tensors.cluster_parents,
        prices: tensors.prices,
        balance_gap,
        info: header.get("info").map(header::copy).transpose()?,
        warnings,
    };
    check_fit(&fit, config)?;
    Ok(fit)
}

/// Checks that the parts fit together, so that a file that was made up can't do
/// more than a model that was.
fn check_fit(fit: &Fit, config: &Config) -> Result<()> {
    let clusters = config.n_clusters;
    if fit.centroids.dim().0 != clusters {
        return Err(wrong("centroids", "not n_clusters rows"));
    }
    if let (Some(offset), Some(placed)) = (&fit.offset, &fit.placed) {
        if config.metric != Metric::Euclidean || offset.len() != fit.dims() {
            return Err(wrong(
                "offset",
                "not a value for each column, or a metric without",
            ));
        }
        if offset.iter().any(|offset| !(*offset as f32).is_finite()) {
            return Err(wrong("offset", "a value that is not finite"));
        }
        if placed.dim() != fit.centroids.dim() {
            return Err(wrong("centroids_less_offset", "not the shape of centroids"));
        }
    }
    if config.metric == Metric::Cosine {
        let is_unit = |row: &[f32]| {
            let norm = crate::kernels::exact::dot(row, row).sqrt();
            norm == 0.0 || (norm - 1.0).abs() <= NEARLY_ONE
        };
        let mut rows = fit.centroid_values()?.chunks(fit.dims());
        if !rows.all(is_unit) {
            return Err(wrong("centroids", "a row that is not of length 1"));
        }
    }
    if let Some(prices) = &fit.prices {
        if prices.len() != clusters {
            return Err(wrong("prices", "not n_clusters values"));
        }
        if prices.iter().any(|price| !price.is_finite()) {
            return Err(wrong("prices", "a value that is not finite"));
        }
    }
    let rows = match fit.counts.is_empty() {
        true => None,
        false => Some(check_counts(fit, clusters)?),
    };
    if fit.weights.len() != fit.counts.len() {
        return Err(wrong("cluster_weights", "not as many values as counts"));
    }
    let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    if !fit.weights.iter().all(is_weight) {
        return Err(wrong(
            "cluster_weights",
            "a value that no weights add up to",
        ));
    }
    if !fit.labels.is_empty() && rows.is_none() {
        return Err(wrong("labels", "no counts beside"));
    }
    if let Some(medoids) = &fit.medoids {
        if medoids.len() != clusters {
            return Err(wrong("medoid_indices", "not n_clusters values"));
        }
        if medoids
            .iter()
            .any(|&row| rows.is_none_or(|rows| row >= rows))
        {
            return Err(wrong("medoid_indices", "a row that there is not"));
        }
    }
    if let Some(parents) = &fit.parents {
        if parents.len() != clusters {
            return Err(wrong("cluster_parents", "not n_clusters values"));
        }
        if parents.iter().any(|&parent| parent as usize >= clusters) {
            return Err(wrong("cluster_parents", "more parents than clusters"));
        }
    }
    Ok(())
}

/// Compares the counts with the labels, where there are some, and returns the
/// number of training points.
fn check_counts(fit: &Fit, clusters: usize) -> Result<usize> {
    if fit.counts.len() != clusters {
        return Err(wrong("counts", "not n_clusters values"));
    }
    let total = fit
        .counts
        .iter()
        .try_fold(0, |sum: usize, &count| sum.checked_add(count));
    let total = total.ok_or_else(|| wrong("counts", "values that are too large"))?;
    if fit.labels.is_empty() {
        return Ok(total);
    }
    let mut counts = allocate::try_vec(0, clusters, MODEL)?;
    for &label in &fit.labels {
        let count = counts.get_mut(label as usize);
        *count.ok_or_else(|| wrong("labels", "a cluster that there is not"))? += 1;
    }
    match counts == fit.counts {
        true => Ok(total),
        false => Err(wrong("counts", "values that the labels don't have")),
    }
}

pub(crate) fn wrong(tensor: &str, what: &str) -> KMeansError {
    broken(format_args!("tensor {tensor:?} has {what}"))
}
