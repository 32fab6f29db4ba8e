//! Models through bytes and back.

use crate::{bytes, crc32, models, predictions};
use kentro::{KMeans, KMeansError, SaveOptions};
use safetensors::{Dtype, SafeTensors};

#[test]
fn nothing_is_lost() {
    for (name, model) in models() {
        let file = bytes(&model);
        let loaded = KMeans::from_bytes(&file).unwrap();
        assert_eq!(loaded, model, "{name}");
        assert_eq!(bytes(&loaded), file, "{name}");
        if model.is_trained() {
            assert_eq!(predictions(&loaded), predictions(&model), "{name}");
            assert_eq!(loaded.clusters(), model.clusters(), "{name}");
        }
    }
}

#[test]
fn without_labels_the_rest_is_there() {
    for (name, model) in models() {
        let file = model.to_bytes(SaveOptions { labels: false }).unwrap();
        let loaded = KMeans::from_bytes(&file).unwrap();
        assert_eq!(loaded.is_trained(), model.is_trained());
        if !model.is_trained() {
            continue;
        }
        assert!(file.len() < bytes(&model).len(), "{name}");
        assert_eq!(loaded.labels(), None);
        let error = loaded.clusters().unwrap_err().to_string();
        assert!(error.starts_with("the model has no labels"), "{error}");
        assert_eq!(predictions(&loaded), predictions(&model), "{name}");
        assert_eq!(loaded.cluster_sizes(), model.cluster_sizes());
        assert_eq!(loaded.medoid_indices(), model.medoid_indices());
        assert_eq!(loaded.cluster_parents(), model.cluster_parents());
        assert_eq!(loaded.inertia(), model.inertia());
        assert_eq!(loaded.n_iter(), model.n_iter());
        assert_eq!(loaded.warnings(), model.warnings());
        assert_eq!(loaded.to_bytes(SaveOptions::default()).unwrap(), file);
    }
}

#[test]
fn a_loaded_model_does_not_train_again() {
    let (_, model) = models().swap_remove(0);
    let mut loaded = KMeans::from_bytes(&bytes(&model)).unwrap();
    let again = loaded.train(crate::data(80, 3).view(), None);
    assert_eq!(again, Err(KMeansError::AlreadyTrained));
}

#[test]
fn a_file_tells_what_training_used() {
    let (_, model) = models().swap_remove(0);
    let file = bytes(&model);
    let changed = model.with_euclidean(false).with_iterations(1);
    assert_eq!(bytes(&changed), file);
}

/// Infinite and tiny values, and texts that JSON has to escape.
#[test]
fn numbers_keep_their_bits() {
    for tolerance in [0.0, f64::MIN_POSITIVE / 8.0, 0.1 + 0.2, f64::MAX] {
        let model = KMeans::new(3).with_tolerance(tolerance);
        assert_eq!(KMeans::from_bytes(&bytes(&model)).unwrap(), model);
    }
    let model = KMeans::new(usize::MAX)
        .with_memory_limit(u64::MAX)
        .with_size_bounds(7, usize::MAX);
    assert_eq!(KMeans::from_bytes(&bytes(&model)).unwrap(), model);
}

/// A setting that can't be isn't saved as if it could.
#[test]
fn settings_that_cannot_be_are_errors() {
    for model in [KMeans::new(0), KMeans::new(1).with_tolerance(f64::NAN)] {
        let error = model.to_bytes(SaveOptions::default()).unwrap_err();
        assert_eq!(Err(error), model.validate());
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    values.iter().map(|&v| f32::from_le_bytes(v)).collect()
}

fn wide<T>(bytes: &[u8], of: impl Fn([u8; 8]) -> T) -> Vec<T> {
    let (values, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    values.iter().map(|&v| of(v)).collect()
}

/// The `safetensors` crate finds in a file what the getters tell.
#[test]
fn another_reader_finds_the_same() {
    for (name, model) in models() {
        let file = bytes(&model);
        let read = SafeTensors::deserialize(&file).unwrap();
        let mut known = 0;
        let mut tensor = |name: &str, dtype: Dtype, shape: &[usize]| {
            known += 1;
            let tensor = read.tensor(name).unwrap();
            assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape));
            let data = tensor.data();
            let offset = data.as_ptr().addr() - file.as_ptr().addr();
            assert_eq!(offset % (dtype.bitsize() / 8), 0, "{name} is not aligned");
            data
        };
        if let Some(centroids) = model.centroids() {
            let (k, dims) = centroids.dim();
            let stored = floats(tensor("centroids", Dtype::F32, &[k, dims]));
            assert_eq!(stored, centroids.as_slice().unwrap());
            let as_size = |v| u64::from_le_bytes(v) as usize;
            let counts = wide(tensor("counts", Dtype::U64, &[k]), as_size);
            assert_eq!(counts, model.cluster_sizes().unwrap());
            if let Some(medoids) = model.medoid_indices() {
                let stored = wide(tensor("medoid_indices", Dtype::U64, &[k]), as_size);
                assert_eq!(stored, medoids);
            }
            let labels = model.labels().unwrap();
            let (stored, _) = tensor("labels", Dtype::U32, &[labels.len()]).as_chunks();
            let stored = stored.iter().map(|&v| u32::from_le_bytes(v));
            assert!(stored.eq(labels.iter().copied()));
            if let Some(parents) = model.cluster_parents() {
                let (stored, _) = tensor("cluster_parents", Dtype::U32, &[k]).as_chunks();
                let stored = stored.iter().map(|&v| u32::from_le_bytes(v));
                assert!(stored.eq(parents.iter().copied()));
            }
            assert_eq!(model.cluster_parents().is_some(), name == "tree");
            if let Some(prices) = model.prices() {
                let stored = wide(tensor("prices", Dtype::F64, &[k]), f64::from_le_bytes);
                assert_eq!(stored, prices);
            }
            assert_eq!(model.prices().is_some(), model.is_balanced());
        }
        if let Some(offset) = model.offset() {
            let stored = wide(tensor("offset", Dtype::F64, &[3]), f64::from_le_bytes);
            assert_eq!(stored, offset);
            let less = floats(tensor("centroids_less_offset", Dtype::F32, &[5, 3]));
            let exact = model.centroids_f64().unwrap();
            for (value, (&less, &offset)) in
                exact.iter().zip(less.iter().zip(offset.iter().cycle()))
            {
                assert_eq!(*value, f64::from(less) + offset);
            }
            assert_eq!(tensor("init", Dtype::F64, &[5, 3]).len(), 120);
        }
        if ["given", "untrained"].contains(&name) {
            let init = floats(tensor("init", Dtype::F32, &[5, 3]));
            let expected = crate::data(80, 3);
            assert_eq!(init, expected.as_slice().unwrap()[..15]);
        }
        assert_eq!(read.names().len(), known, "{name}");

        let (_, header) = SafeTensors::read_metadata(&file).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        assert_eq!(metadata["format"], "kentro");
        assert_eq!(metadata["format_version"], "1");
        let euclidean = if model.is_euclidean() {
            "euclidean"
        } else {
            "cosine"
        };
        assert_eq!(metadata["metric"], euclidean);
        assert_eq!(metadata["n_clusters"], model.n_clusters().to_string());
        let inertia = metadata.get("inertia").map(|text| text.parse().unwrap());
        assert_eq!(inertia, model.inertia());
        let n_iter = metadata.get("n_iter").map(|text| text.parse().unwrap());
        assert_eq!(n_iter, model.n_iter());
        let checksum = &metadata["checksum"];
        let at = file.windows(8).position(|part| part == checksum.as_bytes());
        let at = at.unwrap();
        let expected = crc32(&[&file[..at], b"00000000", &file[at + 8..]]);
        assert_eq!(*checksum, format!("{expected:08x}"));
    }
}
