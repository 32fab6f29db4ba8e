/* Kentro: K-means, balanced K-means and K-medoids.
 *
 * Every function that can fail returns a kentro_status and takes, as its last
 * argument, a kentro_error that keeps what it has to say; NULL is fine. Handles
 * come from *_new (or an out argument) and go by *_free, which takes NULL.
 * Outputs are written only on success. A handle must be live, and data and
 * outputs as large as described; a NULL where none is allowed is an error.
 * const handles may be shared between threads. docs/c.md tells more.
 * Constants and types without a note are there since 0.3.
 *
 * Generated from src/ffi by cbindgen; do not edit. */


#ifndef KENTRO_H
#define KENTRO_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header; kentro_version() is that of the library. */
#define KENTRO_VERSION_MAJOR 0
#define KENTRO_VERSION_MINOR 3
#define KENTRO_VERSION_PATCH 0
#define KENTRO_VERSION "0.3.0"

/* Where functions come from. On Windows from the DLL: define KENTRO_STATIC if
 * they come from the static library. Define KENTRO_API to say otherwise. */
#ifndef KENTRO_API
#if defined(_WIN32) && !defined(KENTRO_STATIC)
#define KENTRO_API __declspec(dllimport)
#elif defined(__GNUC__) && __GNUC__ >= 4
#define KENTRO_API __attribute__((visibility("default")))
#else
#define KENTRO_API
#endif
#endif

/* A num_threads that stands for all the cores this process may use, or for
 * as many as kentro_set_default_threads or KENTRO_NUM_THREADS in the
 * environment say. */
#define KENTRO_ALL_THREADS SIZE_MAX

/**
 * IEEE 754 binary32, `float`.
 */
#define KENTRO_DTYPE_F32 1

/**
 * IEEE 754 binary64, `double`.
 */
#define KENTRO_DTYPE_F64 2

/**
 * IEEE 754 binary16.
 */
#define KENTRO_DTYPE_F16 3

/**
 * bfloat16: the upper half of a binary32.
 */
#define KENTRO_DTYPE_BF16 4

/**
 * `int8_t`.
 */
#define KENTRO_DTYPE_I8 5

/**
 * `uint8_t`.
 */
#define KENTRO_DTYPE_U8 6

/**
 * `int16_t`.
 */
#define KENTRO_DTYPE_I16 7

/**
 * `uint16_t`.
 */
#define KENTRO_DTYPE_U16 8

/**
 * `int32_t`.
 */
#define KENTRO_DTYPE_I32 9

/**
 * `uint32_t`.
 */
#define KENTRO_DTYPE_U32 10

/**
 * `int64_t`.
 */
#define KENTRO_DTYPE_I64 11

/**
 * `uint64_t`.
 */
#define KENTRO_DTYPE_U64 12

/**
 * One byte, 0 or 1.
 */
#define KENTRO_DTYPE_BOOL 13

/**
 * To be or-ed to a type of more than one byte: its bytes are in the order
 * that is not this machine's.
 */
#define KENTRO_DTYPE_SWAPPED 256

/**
 * First centroids: greedy k-means++ for few clusters, a cheaper sample for many.
 */
#define KENTRO_INIT_AUTO 0

/**
 * First centroids: greedy k-means++.
 */
#define KENTRO_INIT_KMEANS_PLUS_PLUS 1

/**
 * First centroids: k-means||.
 */
#define KENTRO_INIT_KMEANS_PARALLEL 2

/**
 * First centroids: distinct rows drawn uniformly.
 */
#define KENTRO_INIT_RANDOM 3

/**
 * First centroids: given by `kentro_kmeans_set_init_centroids`.
 */
#define KENTRO_INIT_CENTROIDS 4

/**
 * First centroids: clusters of coarse clusters, for very many of them.
 */
#define KENTRO_INIT_TREE 5

/**
 * One run from a cheap start.
 */
#define KENTRO_QUALITY_FAST 0

/**
 * One run from a good start.
 */
#define KENTRO_QUALITY_DEFAULT 1

/**
 * Searches on past local minima until it stops paying.
 */
#define KENTRO_QUALITY_BEST 2

/**
 * Training looks for the first centroids.
 */
#define KENTRO_PHASE_SEEDING 0

/**
 * Training assigns rows and moves centroids.
 */
#define KENTRO_PHASE_ITERATING 1

/**
 * Training moves rows to where the bounds on cluster sizes want them.
 */
#define KENTRO_PHASE_REPAIRING 2

/**
 * Training assigns rows to the final centroids.
 */
#define KENTRO_PHASE_LABELLING 3

/**
 * A callback's answer: go on.
 */
#define KENTRO_CONTINUE 0

/**
 * A callback's answer, like any other that is not listed: end the call at once
 * with `KENTRO_STATUS_CANCELLED`; the model stays as it was.
 */
#define KENTRO_CANCEL 1

/**
 * A callback's answer: end training within one further iteration, as if it
 * were the last one asked for, and keep the model: its labels are those of its
 * centroids, and bounds on cluster sizes hold. Other calls go on.
 */
#define KENTRO_STOP 2

/**
 * A line that `kentro_kmeans_set_verbose` asked for.
 */
#define KENTRO_LOG_INFO 0

/**
 * The result is usable, but perhaps not what was expected.
 */
#define KENTRO_LOG_WARNING 1

/**
 * Rows that are one part of the data, and what searches among them have found
 * out: a cache. One call at a time; others get `KENTRO_STATUS_BUSY`.
 */
typedef struct kentro_block kentro_block;

/**
 * A wish to end calls, which any thread and any signal handler may utter. One
 * may serve many calls.
 */
typedef struct kentro_cancel kentro_cancel;

/**
 * A list of point indices for each cluster, ascending. Never changes, so that
 * it may be shared between threads; independent of the model it came from.
 */
typedef struct kentro_clusters kentro_clusters;

/**
 * What a call had to say when it failed. Made once and passed to any number
 * of calls, one at a time; each leaves its own outcome there, success too.
 */
typedef struct kentro_error kentro_error;

/**
 * A clustering model. May be shared between threads. While a call trains it
 * or sets it up, it can be read, as it was before that call, but other calls
 * that would change it get `KENTRO_STATUS_BUSY`.
 */
typedef struct kentro_kmeans kentro_kmeans;

/**
 * A question or an answer: bytes that go from one process to another.
 */
typedef struct kentro_message kentro_message;

/**
 * What the rows of one block, or of several, come to for given centroids.
 * Nothing in it is rounded.
 */
typedef struct kentro_partial kentro_partial;

/**
 * A view of rows that stay the caller's: their memory must outlive the view
 * and not change while a call uses it. May be shared between threads.
 */
typedef struct kentro_points kentro_points;

/**
 * k-means|| over blocks: what was asked and drawn so far.
 */
typedef struct kentro_seeding kentro_seeding;

/**
 * What a call came to: one of the `KENTRO_STATUS_*` numbers, which never change.
 */
typedef int32_t kentro_status;

/**
 * How far training is. Later versions add fields at the end: only those that
 * lie within `size` are there.
 */
typedef struct kentro_progress {
    /**
     * The bytes of this record.
     */
    size_t size;
    /**
     * One of `KENTRO_PHASE_*`; later versions may have more.
     */
    int32_t phase;
    /**
     * Which of the runs that `kentro_kmeans_set_n_init` asked for, from 1.
     */
    size_t run;
    /**
     * Iterations that this run has finished.
     */
    size_t iteration;
    /**
     * Iterations that all runs have finished; never falls.
     */
    size_t total;
    /**
     * The objective before the last iteration's update; NaN before the first.
     */
    double inertia;
    /**
     * Points that changed their cluster in the last iteration.
     */
    size_t changed;
    /**
     * Seconds since training began; never falls.
     */
    double seconds;
} kentro_progress;

/**
 * Told of each iteration of training, and about every 0.1 s between; answers
 * `KENTRO_CONTINUE`, `KENTRO_STOP` or `KENTRO_CANCEL`.
 */
typedef int32_t (*kentro_progress_fn)(const kentro_progress *progress,
                                      void *user_data);

/**
 * Asked every 0.02 s or so whether to go on; answers like a
 * `kentro_progress_fn`.
 */
typedef int32_t (*kentro_poll_fn)(void *user_data);

/**
 * Told lines for the user. `level` is one of `KENTRO_LOG_*`; `message` is
 * valid only during the call and has no line feed at its end.
 */
typedef void (*kentro_log_fn)(int32_t level,
                              const char *message,
                              void *user_data);

/**
 * Who watches one call, and may end it: pass it to that call. Set it all to
 * zero, then `size`, then what is wanted; what is NULL is not called. Without
 * a `log`, verbose lines go to standard output and warnings are only to be had
 * from `kentro_kmeans_warning`.
 *
 * All are called on the thread that made the call, during that call. They may
 * read the model they are called for and use others, but neither change nor
 * free it, and must not jump out of the call (exceptions, `longjmp`).
 */
typedef struct kentro_observer {
    /**
     * `sizeof(kentro_observer)`: later versions add fields at the end.
     */
    size_t size;
    kentro_progress_fn progress;
    kentro_poll_fn poll;
    kentro_log_fn log;
    /**
     * Handed to each of them.
     */
    void *user_data;
    /**
     * Once this is requested, by whom ever, the call ends within 0.1 s or so
     * with `KENTRO_STATUS_CANCELLED`.
     */
    const kentro_cancel *cancel;
} kentro_observer;

/**
 * Begins anew with the first row. Returns 0, or else anything: the call ends
 * with `KENTRO_STATUS_SOURCE`.
 */
typedef int32_t (*kentro_rewind_fn)(void *user_data);

/**
 * Writes the next block to `out_points`, or NULL after the last. Returns 0, or
 * else anything: the call ends with `KENTRO_STATUS_SOURCE`. The view and its memory
 * stay the source's, and must last until the next call of `next` or `rewind`, or
 * the end of the call that uses the source.
 */
typedef int32_t (*kentro_next_fn)(const kentro_points **out_points,
                                  void *user_data);

/**
 * Why `next` or `rewind` failed, as text; NULL if there is nothing to say.
 */
typedef const char *(*kentro_source_message_fn)(void *user_data);

/**
 * Rows that come block by block, as often as they are asked for: the same rows
 * in the same order each time, however they are cut. Set it all to zero, then
 * `size`, `rewind` and `next`; `message` may stay NULL.
 *
 * All are called on the thread that made the call, during that call. They must
 * neither use the model that is trained nor jump out of the call (exceptions,
 * `longjmp`). A view may be used again with other memory, or be another one each
 * time; number type and columns stay the same.
 */
typedef struct {
    /**
     * `sizeof(kentro_source)`: later versions add fields at the end.
     */
    size_t size;
    kentro_rewind_fn rewind;
    kentro_next_fn next;
    kentro_source_message_fn message;
    /**
     * Handed to each of them.
     */
    void *user_data;
} kentro_source;

/**
 * Gets the labels of the next block of rows, valid only during the call.
 * Returns 0, or else anything: the call ends with `KENTRO_STATUS_SOURCE`.
 */
typedef int32_t (*kentro_labels_fn)(const uint32_t *labels,
                                    size_t rows,
                                    void *user_data);

/**
 * Success; only now are the `out_*` arguments written.
 */
#define KENTRO_STATUS_OK 0

/**
 * An argument is NULL that must not be.
 */
#define KENTRO_STATUS_NULL_POINTER 1

/**
 * A setting or an argument is out of its range.
 */
#define KENTRO_STATUS_INVALID_PARAMETER 2

/**
 * The number of clusters is 0.
 */
#define KENTRO_STATUS_INVALID_N_CLUSTERS 3

/**
 * The model has been trained already; a model trains once.
 */
#define KENTRO_STATUS_ALREADY_TRAINED 4

/**
 * The call needs a trained model.
 */
#define KENTRO_STATUS_NOT_TRAINED 5

/**
 * There are fewer points than clusters.
 */
#define KENTRO_STATUS_INSUFFICIENT_POINTS 6

/**
 * The points do not have as many columns as the model.
 */
#define KENTRO_STATUS_DIMENSION_MISMATCH 7

/**
 * The shape, strides, alignment or number type of the points cannot be used.
 */
#define KENTRO_STATUS_INVALID_DATA 8

/**
 * A value is NaN, infinite, or too large for a float32.
 */
#define KENTRO_STATUS_NOT_FINITE 9

/**
 * Memory could not be had.
 */
#define KENTRO_STATUS_OUT_OF_MEMORY 10

/**
 * A callback or a cancel token ended the call; the model is as it was before.
 */
#define KENTRO_STATUS_CANCELLED 11

/**
 * The operating system refused to start threads.
 */
#define KENTRO_STATUS_THREADS 12

/**
 * A bug in Kentro; the model is as it was before the call. Please report it.
 */
#define KENTRO_STATUS_INTERNAL 13

/**
 * The handle is being trained or set up by another call that has not
 * returned: on another thread, or the one whose callback this is.
 */
#define KENTRO_STATUS_BUSY 14

/**
 * The operating system did not read or write a file.
 */
#define KENTRO_STATUS_IO 15

/**
 * What should be a saved model is none, or not all of one.
 */
#define KENTRO_STATUS_INVALID_FILE 16

/**
 * A model was saved by a later version of Kentro, in a way that this one
 * doesn't know.
 */
#define KENTRO_STATUS_NEWER_FILE 17

/**
 * A source gave no block; its message is the error's.
 */
#define KENTRO_STATUS_SOURCE 18



#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * The version of the library, such as "1.2.3": static, never to be freed.
 * Since 0.3.
 */
KENTRO_API
const char *kentro_version(void);

/**
 * The version of the library as major << 16 | minor << 8 | patch. Since 0.3.
 */
KENTRO_API
uint32_t kentro_version_number(void);

/**
 * A short text for a status: static, never NULL, never to be freed. What
 * went wrong in detail is kept by the `kentro_error` of the call. Since 0.3.
 */
KENTRO_API
const char *kentro_status_message(int32_t status);

/**
 * Makes an object that can be passed as the `error` of calls, which keeps
 * what they have to say. To be freed by `kentro_error_free`. NULL if there is
 * no memory; that may be passed all the same. Since 0.3.
 */
KENTRO_API
kentro_error *kentro_error_new(void);

/**
 * The status that the last call with this object returned; 0 if there was
 * none. `KENTRO_STATUS_NULL_POINTER` if `error` is NULL. Since 0.3.
 */
KENTRO_API
kentro_status kentro_error_status(const kentro_error *error);

/**
 * What went wrong in the last call with this object, such as "Invalid data:
 * row 17, column 3 is NaN; ...": which parameter, which value, what to do. ""
 * after a success, or if `error` is NULL.
 *
 * Valid until the next call with this object, or until it is freed.
 * Since 0.3.
 */
KENTRO_API
const char *kentro_error_message(const kentro_error *error);

/**
 * The row, counted from 0, that was to blame for the failure of the last call
 * with this object, in what its text names; -1 where it was no single row.
 * Since 0.3.
 */
KENTRO_API
int64_t kentro_error_row(const kentro_error *error);

/**
 * The column, counted from 0, that was to blame in that row; -1 where it was
 * no single column. Since 0.3.
 */
KENTRO_API
int64_t kentro_error_column(const kentro_error *error);

/**
 * The number that the operating system gave for the failure of the last call
 * with this object, errno on Unix; 0 where it was no failure of the system's.
 * Since 0.3.
 */
KENTRO_API
int32_t kentro_error_os_code(const kentro_error *error);

/**
 * Frees an error; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_error_free(kentro_error *error);

/**
 * Sets how many threads a call uses that is given `KENTRO_ALL_THREADS`, in the
 * whole process and from now on: from 1, or `KENTRO_ALL_THREADS` for all cores
 * that the machine grants.
 *
 * Without it the environment variable `KENTRO_NUM_THREADS` says so, as it is
 * when the number is first needed; without that, all cores. It has no
 * influence on results. May be called from any thread. Since 0.3.
 */
KENTRO_API
kentro_status kentro_set_default_threads(size_t num_threads,
                                         kentro_error *error);

/**
 * Writes to `out` how many threads a call uses that is given
 * `KENTRO_ALL_THREADS`: at most as many as the machine grants this process.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if that is up to `KENTRO_NUM_THREADS` in
 * the environment, which is no positive whole number. Since 0.3.
 */
KENTRO_API
kentro_status kentro_default_threads(size_t *out, kentro_error *error);

/**
 * Whether this process may ask Linux for the tile registers of Intel CPUs with AMX
 * (Xeon since 2023), from now on: not if `allowed` is 0; by default it may.
 *
 * The first search that is served by 8-bit codes asks for them
 * (`arch_prctl(ARCH_REQ_XCOMP_PERM)`). What Linux grants it doesn't take back, and
 * the whole process pays for it: signals need larger stacks from then on, and
 * `sigaltstack` refuses one of less than about 12 KB. If a thread has a smaller one
 * already, Linux refuses the registers, and Kentro does without. A seccomp filter
 * that kills whoever asks can't be found out about before: call this with 0 first,
 * or set the environment variable `KENTRO_ISA=vnni`.
 *
 * With 0, searches that begin later neither ask for the registers nor use them. It
 * has no influence on results. May be called from any thread. Since 0.3.
 */
KENTRO_API
void kentro_allow_amx(int32_t allowed);

/**
 * Makes a view of `rows` x `cols` numbers of type `dtype` (one of
 * `KENTRO_DTYPE_*`). Row i, column j lies at
 * `(const char *)data + i * row_stride_bytes + j * col_stride_bytes`; strides
 * may be negative or 0.
 *
 * float32 rows of adjacent columns are used where they lie; anything else is
 * converted a block of rows at a time, never as a whole. Values become the
 * nearest float32, in training with the Euclidean distance after an offset
 * was subtracted: see `kentro_kmeans_offset`.
 *
 * `KENTRO_STATUS_INVALID_DATA` if `dtype` is none of the constants, `data` or
 * a stride is not aligned to the number type, or sizes overflow. `data` may
 * be NULL if there are no values. To be freed by `kentro_points_free`.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_points_new(const void *data,
                                size_t rows,
                                size_t cols,
                                ptrdiff_t row_stride_bytes,
                                ptrdiff_t col_stride_bytes,
                                int32_t dtype,
                                kentro_points **out_points,
                                kentro_error *error);

/**
 * `kentro_points_new` for float32 rows without gaps: row i, column j is
 * `data[i * cols + j]`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_points_new_f32(const float *data,
                                    size_t rows,
                                    size_t cols,
                                    kentro_points **out_points,
                                    kentro_error *error);

/**
 * Gives each point a weight: `weights` holds one number of type `dtype`,
 * `KENTRO_DTYPE_F32` or `KENTRO_DTYPE_F64`, a row. They stay the caller's, like
 * the rows. Each is finite and at least 0, which training checks; a point of
 * weight 2 counts as one that is there twice, of weight 0 as one that is not
 * there. NULL and 0 take weights away again: every point then weighs 1.
 *
 * Not while another call uses the points. Predictions know no weights. Bounds
 * on the sizes of clusters count points, whatever they weigh.
 *
 * `KENTRO_STATUS_INVALID_DATA` if there are not as many weights as rows.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_points_set_weights(kentro_points *points,
                                        const void *weights,
                                        int32_t dtype,
                                        size_t len,
                                        kentro_error *error);

/**
 * Frees a view, not the memory it is a view of; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_points_free(kentro_points *points);

/**
 * Makes a view of `rows` x `cols` numbers of which only those that are not zero
 * are kept, compressed sparse rows (CSR): row i has the values of the places
 * `indptr[i]` to `indptr[i + 1] - 1`, each in the column that `indices` names at
 * the same place, and zeros elsewhere. So `indptr` holds `rows + 1` numbers, the
 * first 0; `values` and `indices` hold `len` each.
 *
 * `dtype` is that of the values, any that `kentro_points_new` takes;
 * `indices_dtype` and `indptr_dtype` are `KENTRO_DTYPE_I32`, `_I64`, `_U32` or
 * `_U64`. Columns need not ascend; values of one row and column are added up in
 * their number type. Nothing is copied: the memory stays the caller's, as with
 * `kentro_points_new`, and must not change. All calls take such points, and
 * results are those of the dense rows.
 *
 * `KENTRO_STATUS_INVALID_DATA`, naming the place, if a column is not below
 * `cols`, if `indptr` descends, goes beyond `len` or doesn't begin with 0, if a
 * dtype is none of these or memory is not aligned to it, or if sizes overflow.
 * `values` and `indices` may be NULL if `len` is 0. O(rows + len). To be freed by
 * `kentro_points_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_points_new_csr(const void *values,
                                    int32_t dtype,
                                    const void *indices,
                                    int32_t indices_dtype,
                                    const void *indptr,
                                    int32_t indptr_dtype,
                                    size_t rows,
                                    size_t cols,
                                    size_t len,
                                    kentro_points **out_points,
                                    kentro_error *error);

/**
 * Makes a model of `n_clusters` clusters with default settings: cosine,
 * 25 iterations, neither balanced nor medoids.
 *
 * `KENTRO_STATUS_INVALID_N_CLUSTERS` if `n_clusters` is 0. To be freed by
 * `kentro_kmeans_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_new(size_t n_clusters,
                                kentro_kmeans **out_kmeans,
                                kentro_error *error);

/**
 * Makes an independent copy with the same settings. What training left
 * behind is shared, so that copying is cheap. To be freed by
 * `kentro_kmeans_free`; the two may be freed in any order. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_clone(const kentro_kmeans *kmeans,
                                  kentro_kmeans **out_kmeans,
                                  kentro_error *error);

/**
 * Frees a model and everything lent from it; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_kmeans_free(kentro_kmeans *kmeans);

/**
 * Iterations at most, at least 1; default 25. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_iterations(kentro_kmeans *kmeans,
                                           size_t iterations,
                                           kentro_error *error);

/**
 * 1: Euclidean distance; 0, the default: cosine similarity. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_euclidean(kentro_kmeans *kmeans,
                                          int32_t euclidean,
                                          kentro_error *error);

/**
 * 1: cluster sizes are bounded, as `kentro_kmeans_set_max_balance_diff` or
 * `kentro_kmeans_set_size_bounds` says; default 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_balanced(kentro_kmeans *kmeans,
                                         int32_t balanced,
                                         kentro_error *error);

/**
 * The largest difference of cluster sizes when balanced, at least 1;
 * default 16. Takes the place of `kentro_kmeans_set_size_bounds`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_max_balance_diff(kentro_kmeans *kmeans,
                                                 size_t max_balance_diff,
                                                 kentro_error *error);

/**
 * Balanced, with `min_size` to `max_size` points in every cluster; a
 * `min_size` of 0 means 1, for no cluster is empty. Takes the place of
 * `kentro_kmeans_set_max_balance_diff`. Training fails unless there are at
 * least `min_size` and at most `max_size` points for each cluster. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_size_bounds(kentro_kmeans *kmeans,
                                            size_t min_size,
                                            size_t max_size,
                                            kentro_error *error);

/**
 * 1: a line an iteration goes to the log callback or, without one, to
 * standard output; default 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_verbose(kentro_kmeans *kmeans,
                                        int32_t verbose,
                                        kentro_error *error);

/**
 * 1: K-medoids, whose centres are rows of the data; default 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_use_medoids(kentro_kmeans *kmeans,
                                            int32_t use_medoids,
                                            kentro_error *error);

/**
 * The seed of every random choice; default 0. The same seed, data and
 * settings give the same result at any number of threads. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_seed(kentro_kmeans *kmeans,
                                     uint64_t seed,
                                     kentro_error *error);

/**
 * Stops when an iteration lowers the inertia by less than this fraction; at
 * least 0; default 0: only when no assignment changes. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_tolerance(kentro_kmeans *kmeans,
                                          double tolerance,
                                          kentro_error *error);

/**
 * Where the first centroids come from, one of `KENTRO_INIT_*`; default
 * `KENTRO_INIT_AUTO`: k-means++ on a sample for up to 500 clusters, random rows for more,
 * a tree from 8,192 clusters on where rows x clusters x dimensions are 2^38 or more, with
 * 16 to 2,048 dimensions (random rows from a source or if balanced). Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_init(kentro_kmeans *kmeans,
                                     int32_t init,
                                     kentro_error *error);

/**
 * Starts from these centroids, `rows` (the number of clusters) x `cols`,
 * row-major without gaps, of type `dtype`: `KENTRO_DTYPE_F32`, or
 * `KENTRO_DTYPE_F64` where float32 has too few digits, as for points of a wide
 * type that lie far from 0. They are copied. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_init_centroids(kentro_kmeans *kmeans,
                                               const void *centroids,
                                               int32_t dtype,
                                               size_t rows,
                                               size_t cols,
                                               kentro_error *error);

/**
 * Runs from this many starts and keeps the best, at least 1; default 1.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_n_init(kentro_kmeans *kmeans,
                                       size_t n_init,
                                       kentro_error *error);

/**
 * How much time to spend for a lower inertia, one of `KENTRO_QUALITY_*`;
 * default `KENTRO_QUALITY_DEFAULT`. Without effect on K-medoids that
 * are not balanced. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_quality(kentro_kmeans *kmeans,
                                        int32_t quality,
                                        kentro_error *error);

/**
 * Bytes that a call may use beside the data, or as many as it must have: see
 * docs/nearest.md. By default what only saves time may take the smaller of
 * 2 GB and a quarter of the machine's memory. K-medoids takes a sample where all
 * distances exceed the limit; by default, 2 GB on every machine. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_set_memory_limit(kentro_kmeans *kmeans,
                                             uint64_t bytes,
                                             kentro_error *error);

/**
 * The number of clusters. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_n_clusters(const kentro_kmeans *kmeans,
                                       size_t *out,
                                       kentro_error *error);

/**
 * Iterations at most. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_iterations(const kentro_kmeans *kmeans,
                                       size_t *out,
                                       kentro_error *error);

/**
 * The largest difference of cluster sizes when balanced; without effect where
 * there are size bounds. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_max_balance_diff(const kentro_kmeans *kmeans,
                                             size_t *out,
                                             kentro_error *error);

/**
 * The least number of points in a cluster; 0 unless
 * `kentro_kmeans_set_size_bounds` was the last to be set. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_min_size(const kentro_kmeans *kmeans,
                                     size_t *out,
                                     kentro_error *error);

/**
 * The largest number of points in a cluster; `SIZE_MAX` unless
 * `kentro_kmeans_set_size_bounds` was the last to be set. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_max_size(const kentro_kmeans *kmeans,
                                     size_t *out,
                                     kentro_error *error);

/**
 * 1 if the distance is Euclidean, 0 if it is cosine. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_is_euclidean(const kentro_kmeans *kmeans,
                                         int32_t *out,
                                         kentro_error *error);

/**
 * 1 if cluster sizes are balanced, else 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_is_balanced(const kentro_kmeans *kmeans,
                                        int32_t *out,
                                        kentro_error *error);

/**
 * 1 if the centres are medoids, else 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_is_use_medoids(const kentro_kmeans *kmeans,
                                           int32_t *out,
                                           kentro_error *error);

/**
 * 1 if the model is verbose, else 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_is_verbose(const kentro_kmeans *kmeans,
                                       int32_t *out,
                                       kentro_error *error);

/**
 * 1 if the model is trained, else 0. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_is_trained(const kentro_kmeans *kmeans,
                                       int32_t *out,
                                       kentro_error *error);

/**
 * The seed of every random choice. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_seed(const kentro_kmeans *kmeans,
                                 uint64_t *out,
                                 kentro_error *error);

/**
 * The fraction of the inertia that an iteration must gain. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_tolerance(const kentro_kmeans *kmeans,
                                      double *out,
                                      kentro_error *error);

/**
 * Where the first centroids come from, one of `KENTRO_INIT_*`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_init(const kentro_kmeans *kmeans,
                                 int32_t *out,
                                 kentro_error *error);

/**
 * Writes given first centroids, row-major, as float64 to `out`, which has room
 * for `capacity` values, and their shape, 0 x 0 if none were given. `out` may be
 * NULL to ask for the shape alone.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if `capacity` is less than there are values.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_init_centroids(const kentro_kmeans *kmeans,
                                           double *out,
                                           size_t capacity,
                                           size_t *out_rows,
                                           size_t *out_cols,
                                           kentro_error *error);

/**
 * Runs from how many starts. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_n_init(const kentro_kmeans *kmeans,
                                   size_t *out,
                                   kentro_error *error);

/**
 * How much time to spend for a lower inertia, one of `KENTRO_QUALITY_*`.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_quality(const kentro_kmeans *kmeans,
                                    int32_t *out,
                                    kentro_error *error);

/**
 * The memory limit in bytes, and whether there is one (1, or 0 and then 0
 * bytes): without, the default holds. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_memory_limit(const kentro_kmeans *kmeans,
                                         uint64_t *out,
                                         int32_t *out_is_set,
                                         kentro_error *error);

/**
 * Makes a wish to end calls that has not been uttered yet. To be freed by
 * `kentro_cancel_free`, once no call uses it any more. Since 0.3.
 */
KENTRO_API
kentro_status kentro_cancel_new(kentro_cancel **out_cancel,
                                kentro_error *error);

/**
 * Ends all calls that are watched by an observer with this `cancel`, now and
 * from now on. From any thread or signal handler; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_cancel_request(const kentro_cancel *cancel);

/**
 * Frees it; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_cancel_free(kentro_cancel *cancel);

/**
 * Clusters the rows of `points`. A model trains once; after an error it is as
 * it was before.
 *
 * `num_threads`: from 1, or `KENTRO_ALL_THREADS` for `kentro_default_threads`;
 * more than the machine grants this process is capped. Has no influence on the result. Threads end
 * with the call, so that the process may fork before and after. `observer`:
 * who watches the call and may end it; NULL for nobody, here and elsewhere.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_train(kentro_kmeans *kmeans,
                                  const kentro_points *points,
                                  size_t num_threads,
                                  const kentro_observer *observer,
                                  kentro_error *error);

/**
 * Learns from one more block of rows, and keeps nothing of it but what it did
 * to the centroids: mini-batch K-means.
 *
 * The first block trains the model by its settings; blocks before there are as
 * many rows as clusters are collected. After that each centroid moves to the mean
 * of all rows that it has got. A trained model goes on from its centroids and
 * `kentro_kmeans_cluster_weights`. `forgetting`: what fraction of these weights
 * is forgotten before the block counts, 0 to 1. Labels are empty and the
 * inertia is NaN afterwards, sizes and weights add up, and `kentro_kmeans_n_iter`
 * counts blocks.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` with medoids or bounds on sizes. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_partial_fit(kentro_kmeans *kmeans,
                                        const kentro_points *points,
                                        double forgetting,
                                        size_t num_threads,
                                        const kentro_observer *observer,
                                        kentro_error *error);

/**
 * Assigns every row of `points` to its `k` nearest clusters (at least 1; more
 * than there are means all) and returns for each cluster the rows it got.
 * To be freed by `kentro_clusters_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_assign(const kentro_kmeans *kmeans,
                                   const kentro_points *points,
                                   size_t k,
                                   size_t num_threads,
                                   const kentro_observer *observer,
                                   kentro_clusters **out_clusters,
                                   kentro_error *error);

/**
 * Writes the `k` nearest clusters of every row (at least 1; more than there
 * are means all), nearest first, to `out_labels` and their distances, squared
 * Euclidean or 1 - cosine, to `out_distances`: rows x width values, row-major,
 * width = min(k, n_clusters), which `out_width` gets. The outputs have room for
 * `labels_capacity` and `distances_capacity` values and do not overlap the
 * points. `out_distances` with capacity 0, and `out_width`, may be NULL.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if a capacity is less, before anything is
 * written. After any other error the contents of both buffers are undefined.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_predict(const kentro_kmeans *kmeans,
                                    const kentro_points *points,
                                    size_t k,
                                    size_t num_threads,
                                    const kentro_observer *observer,
                                    uint32_t *out_labels,
                                    size_t labels_capacity,
                                    double *out_distances,
                                    size_t distances_capacity,
                                    size_t *out_width,
                                    kentro_error *error);

/**
 * `kentro_kmeans_predict` for float32 rows without gaps, as of
 * `kentro_points_new_f32`: where there are few, as in answering one query, the
 * view of them would be one more thing to make and to free. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_predict_f32(const kentro_kmeans *kmeans,
                                        const float *data,
                                        size_t rows,
                                        size_t cols,
                                        size_t k,
                                        size_t num_threads,
                                        const kentro_observer *observer,
                                        uint32_t *out_labels,
                                        size_t labels_capacity,
                                        double *out_distances,
                                        size_t distances_capacity,
                                        size_t *out_width,
                                        kentro_error *error);

/**
 * Writes a cluster of every row to `out_labels` and its distance to
 * `out_distances`, by the prices that a balanced model has learnt: rows like
 * the training data spread over the clusters as evenly as it did, though
 * nothing bounds the sizes here. Else like `kentro_kmeans_predict` with k = 1.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` unless the model was trained balanced.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_predict_balanced(const kentro_kmeans *kmeans,
                                             const kentro_points *points,
                                             size_t num_threads,
                                             const kentro_observer *observer,
                                             uint32_t *out_labels,
                                             size_t labels_capacity,
                                             double *out_distances,
                                             size_t distances_capacity,
                                             kentro_error *error);

/**
 * Writes the distance of every row to every centroid, squared Euclidean or
 * 1 - cosine, to `out_distances`, row-major, which has room for
 * `distances_capacity` values: rows x width, width = n_clusters, which
 * `out_width` gets unless it is NULL.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if the capacity is less. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_transform(const kentro_kmeans *kmeans,
                                      const kentro_points *points,
                                      size_t num_threads,
                                      const kentro_observer *observer,
                                      double *out_distances,
                                      size_t distances_capacity,
                                      size_t *out_width,
                                      kentro_error *error);

/**
 * Writes to `out` minus the sum over all points, times their weights, that the
 * model's inertia is of its training points: of the squared Euclidean distance to
 * the nearest centroid, of 1 - cosine, or with medoids of the (non-squared)
 * distance. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_score(const kentro_kmeans *kmeans,
                                  const kentro_points *points,
                                  size_t num_threads,
                                  const kentro_observer *observer,
                                  double *out,
                                  kentro_error *error);

/**
 * Writes to `out_score` the mean silhouette, from -1 to 1, of the rows of `points` in
 * the clusters that `labels` names: any numbers, at least two different ones, one a row.
 * The distance is Euclidean (not squared) if `euclidean` is 1, else 1 - cosine.
 *
 * `sample`: how many rows to look at, each compared with all; 0: all up to 10,000 rows, of
 * more so many that there are 10^8 pairs, and at least 1,000. `seed` draws them.
 * `out_rows`: how many they were; if all, the score is exact. O(sample x rows x cols).
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_silhouette(const kentro_points *points,
                                const uint32_t *labels,
                                size_t n_labels,
                                int32_t euclidean,
                                size_t sample,
                                uint64_t seed,
                                size_t num_threads,
                                const kentro_observer *observer,
                                double *out_score,
                                size_t *out_rows,
                                kentro_error *error);

/**
 * Finds the `m` (at least 1) rows of each cluster that are nearest to its centroid,
 * nearest first, no two with the same values (of equals the first counts); fewer where a
 * cluster has fewer. Rows are in the cluster whose centroid is nearest to them; those of
 * weight 0 do not count. To be freed by `kentro_clusters_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_representatives(const kentro_kmeans *kmeans,
                                            const kentro_points *points,
                                            size_t m,
                                            size_t num_threads,
                                            const kentro_observer *observer,
                                            kentro_clusters **out_clusters,
                                            kentro_error *error);

/**
 * Trains a model for each of the `len` numbers of clusters in `ks`, which ascend, with
 * the settings of `kmeans`, whose own number and training play no part. Each begins with
 * the centroids of the one before and as many more, drawn by greedy k-means++; K-medoids
 * start afresh. The observer hears of each as of a further run.
 *
 * `out_kmeans`, `out_seconds` and `out_silhouettes` have room for `len` values each: the
 * models, each to be freed by `kentro_kmeans_free`; how long training took; and the mean
 * of (b - a) / max(a, b) over all rows, where a is the distance to the row's own centroid
 * and b that to the nearest other one, 0 in a cluster of its own (NaN for a single one). The last two may be
 * NULL. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_sweep(const kentro_kmeans *kmeans,
                                  const kentro_points *points,
                                  const size_t *ks,
                                  size_t len,
                                  size_t num_threads,
                                  const kentro_observer *observer,
                                  kentro_kmeans **out_kmeans,
                                  double *out_seconds,
                                  double *out_silhouettes,
                                  kentro_error *error);

/**
 * Lends the cluster of every training point; NULL and 0 in a model that was
 * saved without labels or made of centroids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_labels(const kentro_kmeans *kmeans,
                                   const uint32_t **out,
                                   size_t *out_len,
                                   kentro_error *error);

/**
 * Lends the row of the training data that is each cluster's medoid; NULL and
 * 0 if the model does not use medoids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_medoid_indices(const kentro_kmeans *kmeans,
                                           const size_t **out,
                                           size_t *out_len,
                                           kentro_error *error);

/**
 * Lends the coarse cluster that each cluster is in, where the first centroids
 * came from a tree (`KENTRO_INIT_TREE`); NULL and 0 if they did not. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_cluster_parents(const kentro_kmeans *kmeans,
                                            const uint32_t **out,
                                            size_t *out_len,
                                            kentro_error *error);

/**
 * The number of columns of the centroids, and of the points that fit them.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_n_dimensions(const kentro_kmeans *kmeans,
                                         size_t *out,
                                         kentro_error *error);

/**
 * The number of training points; 0 in a model that was made of centroids.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_n_points(const kentro_kmeans *kmeans,
                                     size_t *out,
                                     kentro_error *error);

/**
 * Lends what balancing has learnt to add to the distance to each centroid:
 * see `kentro_kmeans_predict_balanced`. NULL and 0 if the model is not
 * balanced. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_prices(const kentro_kmeans *kmeans,
                                   const double **out,
                                   size_t *out_len,
                                   kentro_error *error);

/**
 * Lends the centroids, n_clusters x dimensions, row-major: means, unit
 * vectors (cosine) or medoids. A model of sparse rows keeps what is not zero of
 * them, and makes all when they are first asked for:
 * `KENTRO_STATUS_OUT_OF_MEMORY` if there is no room. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_centroids(const kentro_kmeans *kmeans,
                                      const float **out,
                                      size_t *out_rows,
                                      size_t *out_cols,
                                      kentro_error *error);

/**
 * Writes the centroids with more digits, row-major, to `out`, which has room
 * for `capacity` values, n_clusters x dimensions. They differ from
 * `kentro_kmeans_centroids` where columns lost an offset: see
 * `kentro_kmeans_offset`.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if `capacity` is less. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_centroids_f64(const kentro_kmeans *kmeans,
                                          double *out,
                                          size_t capacity,
                                          kentro_error *error);

/**
 * Lends what was subtracted from each column before it was rounded to float32;
 * NULL and 0 if nothing was. With the Euclidean distance a column of a wide
 * number type (float64, 32- or 64-bit integers) whose largest magnitude is
 * more than four times its range loses the middle of its range. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_offset(const kentro_kmeans *kmeans,
                                   const double **out,
                                   size_t *out_len,
                                   kentro_error *error);

/**
 * Lends the number of training points in each cluster; NULL and 0 if the model
 * was made of centroids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_cluster_sizes(const kentro_kmeans *kmeans,
                                          const size_t **out,
                                          size_t *out_len,
                                          kentro_error *error);

/**
 * Lends what the training points of each cluster weigh together: their number
 * where they had no weights (`kentro_points_set_weights`). NULL and 0 if the
 * model was made of centroids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_cluster_weights(const kentro_kmeans *kmeans,
                                            const double **out,
                                            size_t *out_len,
                                            kentro_error *error);

/**
 * Makes the lists of training points by cluster. To be freed by
 * `kentro_clusters_free`. `KENTRO_STATUS_INVALID_PARAMETER` in a model without
 * labels: see `kentro_kmeans_labels`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_clusters(const kentro_kmeans *kmeans,
                                     kentro_clusters **out_clusters,
                                     kentro_error *error);

/**
 * The objective that was reached: the sum over all training points of the
 * squared Euclidean distance, of 1 - cosine, or with medoids of the
 * (non-squared) distance to the medoid. NaN in a model that was made of
 * centroids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_inertia(const kentro_kmeans *kmeans,
                                    double *out,
                                    kentro_error *error);

/**
 * By what fraction of the inertia at most a balanced assignment is dearer than
 * the best one with cluster sizes in the same range, for the final centroids:
 * proved, and 0 up to rounding. NaN if the model is not balanced. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_balance_gap(const kentro_kmeans *kmeans,
                                        double *out,
                                        kentro_error *error);

/**
 * Iterations that ran; 0 in a model that was made of centroids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_n_iter(const kentro_kmeans *kmeans,
                                   size_t *out,
                                   kentro_error *error);

/**
 * Lends a line on how the result was found, where there is more than one way:
 * with medoids, whether all distances were compared or a sample of them. ""
 * where there is nothing to say. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_info(const kentro_kmeans *kmeans,
                                 const char **out,
                                 kentro_error *error);

/**
 * The number of warnings that training left; 0 before. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_n_warnings(const kentro_kmeans *kmeans,
                                       size_t *out,
                                       kentro_error *error);

/**
 * Lends a warning that training left, such as that there are fewer distinct
 * points than clusters. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_warning(const kentro_kmeans *kmeans,
                                    size_t index,
                                    const char **out,
                                    kentro_error *error);

/**
 * Writes a model to a file, in the place of any that is there: its settings
 * and, if it is trained, all results, of the labels only if `labels` is 1, not
 * 0. The file is one of safetensors; docs/format.md tells what is in it.
 *
 * `path`: any bytes on Unix, UTF-8 on Windows. Whenever the process ends, and
 * after an error, the old file or the new one is there, whole.
 * `KENTRO_STATUS_IO` if the system refuses: see `kentro_error_os_code`.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_save(const kentro_kmeans *kmeans,
                                 const char *path,
                                 int32_t labels,
                                 kentro_error *error);

/**
 * Reads a model from a file that `kentro_kmeans_save` wrote. It is as it was,
 * but for its callbacks and, if they were left out, the labels. To be freed by
 * `kentro_kmeans_free`.
 *
 * `KENTRO_STATUS_IO` if the system refuses, `KENTRO_STATUS_INVALID_FILE` if
 * the file is not whole or no model, `KENTRO_STATUS_NEWER_FILE` if it is of a
 * later version of the format. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_load(const char *path,
                                 kentro_kmeans **out_kmeans,
                                 kentro_error *error);

/**
 * The length in bytes of what `kentro_kmeans_serialize` writes. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_serialized_size(const kentro_kmeans *kmeans,
                                            int32_t labels,
                                            size_t *out_size,
                                            kentro_error *error);

/**
 * Writes the bytes of the file that `kentro_kmeans_save` would write to `out`,
 * which has room for `capacity`, and how many they are to `out_size`.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER`, and nothing is written, if `capacity` is
 * less than `kentro_kmeans_serialized_size`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_serialize(const kentro_kmeans *kmeans,
                                      int32_t labels,
                                      uint8_t *out,
                                      size_t capacity,
                                      size_t *out_size,
                                      kentro_error *error);

/**
 * Reads a model from the `size` bytes that `kentro_kmeans_serialize` wrote, or
 * of a file: see `kentro_kmeans_load`. They are not needed afterwards.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_deserialize(const uint8_t *bytes,
                                        size_t size,
                                        kentro_kmeans **out_kmeans,
                                        kentro_error *error);

/**
 * Makes a trained model of these centroids, one a row, which are copied: to
 * predict and assign with, and to be saved. To be freed by
 * `kentro_kmeans_free`.
 *
 * `euclidean` is 1 or 0 as for `kentro_kmeans_set_euclidean`; for 0 the
 * centroids are made unit vectors. `prices`: NULL and 0, or one for each
 * centroid, for `kentro_kmeans_predict_balanced`. There are no labels, sizes,
 * medoids and inertia (NaN), and 0 iterations. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_from_centroids(const kentro_points *centroids,
                                           int32_t euclidean,
                                           const double *prices,
                                           size_t n_prices,
                                           kentro_kmeans **out_kmeans,
                                           kentro_error *error);

/**
 * Makes a trained model of Euclidean centroids that have lost an offset, and of that:
 * `n_dimensions` values, as `kentro_block_offset` writes them. Rows to predict lose it
 * too, so that those of blocks get the labels that the blocks have. Otherwise as
 * `kentro_kmeans_from_centroids`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_from_centroids_less(const float *centroids,
                                                size_t n_clusters,
                                                size_t n_dimensions,
                                                const double *offset,
                                                kentro_kmeans **out_kmeans,
                                                kentro_error *error);

/**
 * Makes an untrained model with the settings of
 * `kmeans`, settings that were changed after training included. To be freed by
 * `kentro_kmeans_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_clone_untrained(const kentro_kmeans *kmeans,
                                            kentro_kmeans **out_kmeans,
                                            kentro_error *error);

/**
 * Writes a line about the model to `out`, which has room for `capacity` bytes,
 * such as "KMeans(n_clusters=3, iterations=25, euclidean=false,
 * balanced=false, use_medoids=false, trained=true, seed=7)": six words, then
 * what is not the default; of a trained model what training used. It ends in
 * NUL, which `out_len` doesn't count. 1024 bytes are always enough.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_describe(const kentro_kmeans *kmeans,
                                     char *out,
                                     size_t capacity,
                                     size_t *out_len,
                                     kentro_error *error);

/**
 * The number of clusters. Since 0.3.
 */
KENTRO_API
kentro_status kentro_clusters_n_clusters(const kentro_clusters *clusters,
                                         size_t *out,
                                         kentro_error *error);

/**
 * Lends the points of one cluster until the handle is freed.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if there is no such cluster. Since 0.3.
 */
KENTRO_API
kentro_status kentro_clusters_members(const kentro_clusters *clusters,
                                      size_t cluster,
                                      const size_t **out,
                                      size_t *out_len,
                                      kentro_error *error);

/**
 * Lends n_clusters + 1 offsets: the points of cluster j are those from
 * `offsets[j]` to before `offsets[j + 1]` of `kentro_clusters_all_members`.
 * Since 0.3.
 */
KENTRO_API
kentro_status kentro_clusters_offsets(const kentro_clusters *clusters,
                                      const size_t **out,
                                      size_t *out_len,
                                      kentro_error *error);

/**
 * Lends the points of all clusters, one cluster after the other. Since 0.3.
 */
KENTRO_API
kentro_status kentro_clusters_all_members(const kentro_clusters *clusters,
                                          const size_t **out,
                                          size_t *out_len,
                                          kentro_error *error);

/**
 * Frees the lists; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_clusters_free(kentro_clusters *clusters);

/**
 * Adds what the rows of `other` come to, for the same centroids; the result is
 * the same in any order of merging. `other` stays as it is, and may not be
 * `partial` itself.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER`, and no change, if the other is of another
 * shape or metric, or of other centroids. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_merge(kentro_partial *partial,
                                   const kentro_partial *other,
                                   kentro_error *error);

/**
 * Writes the next centroids, n_clusters x n_dimensions, to `out_centroids`,
 * which has room for `capacity` values: the means of the clusters, with cosine
 * directions; clusters without rows get the farthest ones. `centroids` are those
 * that the blocks got, and may be the same memory. `out_converged` gets 1 if
 * the next are the same bit for bit, else 0; it may be NULL.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` if the partial is not of these centroids,
 * or the room is too little. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_finalize(const kentro_partial *partial,
                                      const float *centroids,
                                      float *out_centroids,
                                      size_t capacity,
                                      int32_t *out_converged,
                                      kentro_error *error);

/**
 * Writes these centroids, with those of empty clusters on the farthest rows, to
 * `out_centroids`, which has room for `capacity` values, and 1 to `out_placed`; 0,
 * and nothing else, if no cluster is empty or no row may be there. `centroids` are
 * those that the blocks got, and may be the same memory.
 *
 * Training ends so: after the last iteration it does this again as long as the
 * inertia falls, and takes what came last. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_place_empty(const kentro_partial *partial,
                                         const float *centroids,
                                         float *out_centroids,
                                         size_t capacity,
                                         int32_t *out_placed,
                                         kentro_error *error);

/**
 * The number of clusters and of columns; either may be NULL. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_shape(const kentro_partial *partial,
                                   size_t *out_n_clusters,
                                   size_t *out_n_dimensions,
                                   kentro_error *error);

/**
 * Lends the number of rows of each cluster until the partial is merged into or
 * freed. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_cluster_sizes(const kentro_partial *partial,
                                           const uint64_t **out,
                                           size_t *out_len,
                                           kentro_error *error);

/**
 * The sum of weighted distances to the centroids: squared Euclidean, or
 * 1 - cosine. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_inertia(const kentro_partial *partial,
                                     double *out,
                                     kentro_error *error);

/**
 * Rows that have changed their cluster since the partial before; -1 where a
 * block knew of none. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_changed(const kentro_partial *partial,
                                     int64_t *out,
                                     kentro_error *error);

/**
 * The length in bytes of what `kentro_partial_serialize` writes. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_serialized_size(const kentro_partial *partial,
                                             size_t *out_size,
                                             kentro_error *error);

/**
 * Writes the partial as bytes (docs/format.md) to `out`, which has room for
 * `capacity`, and how many they are to `out_size`.
 * `KENTRO_STATUS_INVALID_PARAMETER`, and nothing is written, if `capacity` is
 * less than `kentro_partial_serialized_size`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_serialize(const kentro_partial *partial,
                                       uint8_t *out,
                                       size_t capacity,
                                       size_t *out_size,
                                       kentro_error *error);

/**
 * Reads a partial from the `size` bytes that `kentro_partial_serialize` wrote,
 * which are not needed afterwards. They may be anything:
 * `KENTRO_STATUS_INVALID_FILE` if they are no whole partial,
 * `KENTRO_STATUS_NEWER_FILE` if they are of a later version. To be freed by
 * `kentro_partial_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_partial_deserialize(const uint8_t *bytes,
                                         size_t size,
                                         kentro_partial **out_partial,
                                         kentro_error *error);

/**
 * Frees a partial; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_partial_free(kentro_partial *partial);

/**
 * Makes a block of the rows of `points`, with their weights. The view may be
 * freed, but the rows' memory (and that of their weights) must outlive the
 * block and not change.
 *
 * `euclidean` is 1 or 0 as for `kentro_kmeans_set_euclidean`. To be freed by
 * `kentro_block_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_new(const kentro_points *points,
                               int32_t euclidean,
                               kentro_block **out_block,
                               kentro_error *error);

/**
 * What the rows come to for these centroids: n_clusters x n_dimensions,
 * row-major; with cosine they are made unit vectors first. To be freed by
 * `kentro_partial_free`. `num_threads` and `observer` as for
 * `kentro_kmeans_train`; no progress is told.
 *
 * After an error, being cancelled included, the block has forgotten its labels,
 * which costs time and nothing else. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_partial(kentro_block *block,
                                   const float *centroids,
                                   size_t n_clusters,
                                   size_t n_dimensions,
                                   size_t num_threads,
                                   const kentro_observer *observer,
                                   kentro_partial **out_partial,
                                   kentro_error *error);

/**
 * Writes the least number of each column to `out`, then the greatest of each: of
 * the rows that weigh something, infinity and -infinity where there are none.
 * `out` has room for `capacity` values, 2 x n_dimensions at least. One pass over the
 * rows; ranges of several blocks merge by minimum and maximum.
 * `kentro_block_set_ranges` tells what they are for. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_ranges(kentro_block *block,
                                  size_t num_threads,
                                  const kentro_observer *observer,
                                  double *out,
                                  size_t capacity,
                                  kentro_error *error);

/**
 * Takes the ranges of all blocks together, 2 x `n_dimensions` values as
 * `kentro_block_ranges` writes them, and with the Euclidean distance the offset
 * that training on all rows would subtract (see `kentro_kmeans_offset`). All blocks
 * must get the same, before the first partial: labels of others are forgotten.
 * Centroids are then those less `kentro_block_offset`, in
 * `kentro_partial_finalize` too.
 *
 * `KENTRO_STATUS_INVALID_PARAMETER` unless each column has two finite numbers, the
 * lesser first, or infinity and -infinity. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_set_ranges(kentro_block *block,
                                      const double *ranges,
                                      size_t n_dimensions,
                                      kentro_error *error);

/**
 * Writes what each column loses before it is rounded to float32, 0 where that is
 * nothing, to `out`, which has room for `capacity` values. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_offset(const kentro_block *block,
                                  double *out,
                                  size_t capacity,
                                  kentro_error *error);

/**
 * Answers a `kentro_seeding`, given its candidates (none at first) and the
 * `question_size` bytes of its question to this block. The answer is to be freed by
 * `kentro_message_free`. `num_threads` and `observer` as for
 * `kentro_block_partial`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_seed(kentro_block *block,
                                const float *candidates,
                                size_t n_candidates,
                                size_t n_dimensions,
                                const uint8_t *question,
                                size_t question_size,
                                size_t num_threads,
                                const kentro_observer *observer,
                                kentro_message **out_answer,
                                kentro_error *error);

/**
 * The number of rows. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_rows(const kentro_block *block,
                                size_t *out,
                                kentro_error *error);

/**
 * Writes the cluster of every row, as of the last partial, to `out`, which has
 * room for `capacity` values. `KENTRO_STATUS_INVALID_PARAMETER` if there was no
 * partial yet, or the room is too little. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_labels(kentro_block *block,
                                  uint32_t *out,
                                  size_t capacity,
                                  kentro_error *error);

/**
 * Forgets labels and sums. Since 0.3.
 */
KENTRO_API
kentro_status kentro_block_forget(kentro_block *block, kentro_error *error);

/**
 * Frees a block; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_block_free(kentro_block *block);

/**
 * Begins to draw first centroids of rows in blocks: those of
 * `KENTRO_INIT_KMEANS_PARALLEL` of all rows together, with the same seed, bit for
 * bit, however rows are cut.
 *
 * While `kentro_seeding_centroids` gives none, each block gets the candidates and
 * its `kentro_seeding_question`, by `kentro_block_seed`, and
 * `kentro_seeding_take` takes the answers of all. `euclidean` is 1 or 0 as for
 * `kentro_kmeans_set_euclidean`. To be freed by `kentro_seeding_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_seeding_new(size_t n_clusters,
                                 int32_t euclidean,
                                 uint64_t seed,
                                 kentro_seeding **out_seeding,
                                 kentro_error *error);

/**
 * Lends the rows that were drawn so far, `*out_len` x `*out_n_dimensions`, until
 * the next answers are taken; at first there are none. Since 0.3.
 */
KENTRO_API
kentro_status kentro_seeding_candidates(const kentro_seeding *seeding,
                                        const float **out,
                                        size_t *out_len,
                                        size_t *out_n_dimensions,
                                        kentro_error *error);

/**
 * What to ask the block of this number, from 0, in the order of rows. To be freed
 * by `kentro_message_free`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_seeding_question(const kentro_seeding *seeding,
                                      size_t block,
                                      kentro_message **out_question,
                                      kentro_error *error);

/**
 * Takes the answers of all blocks, in the order of their rows: `answers` points to
 * the bytes of each of `n_blocks`, and `sizes` to their lengths. `num_threads`
 * and `observer` as for `kentro_kmeans_train`; no progress is told.
 *
 * An error, and no change, unless all answer what was asked, or if there are fewer
 * rows than clusters. Since 0.3.
 */
KENTRO_API
kentro_status kentro_seeding_take(kentro_seeding *seeding,
                                  const uint8_t *const *answers,
                                  const size_t *sizes,
                                  size_t n_blocks,
                                  size_t num_threads,
                                  const kentro_observer *observer,
                                  kentro_error *error);

/**
 * Lends the first centroids, `*out_n_clusters` x `*out_n_dimensions`, until the
 * seeding is freed; `*out` is NULL while there are more questions. Since 0.3.
 */
KENTRO_API
kentro_status kentro_seeding_centroids(const kentro_seeding *seeding,
                                       const float **out,
                                       size_t *out_n_clusters,
                                       size_t *out_n_dimensions,
                                       kentro_error *error);

/**
 * Frees a seeding; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_seeding_free(kentro_seeding *seeding);

/**
 * Lends the bytes of a message until it is freed. Since 0.3.
 */
KENTRO_API
kentro_status kentro_message_bytes(const kentro_message *message,
                                   const uint8_t **out,
                                   size_t *out_size,
                                   kentro_error *error);

/**
 * Frees a message; NULL is fine. Since 0.3.
 */
KENTRO_API
void kentro_message_free(kentro_message *message);

/**
 * `kentro_kmeans_train` on rows that come from a source: the same bits as from
 * all rows at once, unless `KENTRO_INIT_AUTO` takes a tree of these. Looks at all
 * rows once (twice where wide numbers lose an offset), once for the first centroids
 * (fifteen times with `k-means||`, not at all where they are given), then once an
 * iteration, some seven times an attempt at swaps, and once for the labels.
 *
 * Beside the block it keeps 24 bytes a row, 48 with weights; codes and bounds of
 * each block that save time, as far as `kentro_kmeans_set_memory_limit` has room.
 *
 * `KENTRO_STATUS_SOURCE` if the source fails; `KENTRO_STATUS_INVALID_PARAMETER` with
 * medoids, bounds on sizes, or quality `best`, and with `k-means++` where the rows
 * exceed the limit. After an error the model is as it was before. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_train_source(kentro_kmeans *kmeans,
                                         const kentro_source *source,
                                         size_t num_threads,
                                         const kentro_observer *observer,
                                         kentro_error *error);

/**
 * The nearest cluster of every row of a source: `labels` gets those of a block
 * after the other, with `user_data`. Since 0.3.
 */
KENTRO_API
kentro_status kentro_kmeans_predict_source(const kentro_kmeans *kmeans,
                                           const kentro_source *source,
                                           kentro_labels_fn labels,
                                           void *user_data,
                                           size_t num_threads,
                                           const kentro_observer *observer,
                                           kentro_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  /* __cplusplus */

#endif  /* KENTRO_H */
