/* Refuses one allocation after another, in every kind of model: each call must
 * end in a status or in the right result, leave no memory behind and its handle
 * usable, and the next training must give the same bits.
 *
 *     allocations            a few of each kind of model (what `cargo test` runs)
 *     allocations all        every one
 *
 * The program has the allocator's functions, and mmap, of its own, which the
 * library gets as well; those of glibc do the work. Attempts run in a child, so
 * that one which ends the process is found and named by its innermost frame
 * that is not the allocator's. What is excused is in `excused`. */

#define _GNU_SOURCE

#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The allocator ------------------------------------------------------ */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static atomic_int armed;
static atomic_size_t asked;   /* allocations since it was armed */
static atomic_llong live;     /* bytes that are allocated */
static size_t refuse;         /* the number of the one to refuse, from 1 */
static size_t least;          /* bytes of those that count */

static int refused(size_t size)
{
    if (!atomic_load_explicit(&armed, memory_order_relaxed) || size < least)
        return 0;
    return atomic_fetch_add(&asked, 1) + 1 == refuse;
}

static void *counted(void *memory)
{
    if (memory != NULL)
        atomic_fetch_add(&live, (long long)malloc_usable_size(memory));
    return memory;
}

void *malloc(size_t size)
{
    return refused(size) ? (errno = ENOMEM, NULL) : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return refused(count * size) ? (errno = ENOMEM, NULL) : counted(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    long long before = memory != NULL ? (long long)malloc_usable_size(memory) : 0;
    void *moved;
    if (refused(size))
        return errno = ENOMEM, NULL;
    moved = __libc_realloc(memory, size);
    if (moved != NULL || size == 0)
        atomic_fetch_sub(&live, before);
    return counted(moved);
}

void *memalign(size_t alignment, size_t size)
{
    return refused(size) ? (errno = ENOMEM, NULL) : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *found = memalign(alignment, size);
    if (found == NULL)
        return ENOMEM;
    *memory = found;
    return 0;
}

void free(void *memory)
{
    if (memory != NULL)
        atomic_fetch_sub(&live, (long long)malloc_usable_size(memory));
    __libc_free(memory);
}

void *mmap(void *address, size_t len, int protection, int flags, int file, off_t offset)
{
    if (refused(len))
        return errno = ENOMEM, MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, len, protection, flags, file, offset);
}

/* --- What is tried ------------------------------------------------------ */

typedef struct {
    const char *name;
    size_t rows, cols, k;
    int32_t euclidean, balanced, medoids, quality, init;
    int given;             /* first centroids are given */
    int doubles;           /* the data is float64 with gaps, or if 2 has weights */
    int low_rank;          /* the data lies near a subspace */
    int limited;           /* memory_limit is 0 */
    size_t n_init;
} mode;

#define AUTO KENTRO_INIT_AUTO
#define BEST KENTRO_QUALITY_BEST
#define DEFAULT KENTRO_QUALITY_DEFAULT
#define FAST KENTRO_QUALITY_FAST

static const mode modes[] = {
    {"two clusters", 2600, 32, 2, 1, 0, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"k-means", 1500, 16, 12, 1, 0, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"k-means, cosine", 1500, 16, 12, 0, 0, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"k-means of doubles", 1500, 16, 12, 1, 0, 0, DEFAULT, AUTO, 0, 1, 0, 0, 1},
    {"k-means with weights", 1500, 16, 12, 1, 0, 0, DEFAULT, AUTO, 0, 2, 0, 0, 1},
    {"k-means, best", 700, 8, 10, 1, 0, 0, BEST, AUTO, 0, 0, 0, 0, 1},
    {"k-means, best, cosine", 700, 16, 10, 0, 0, 0, BEST, AUTO, 0, 0, 0, 0, 1},
    {"k-means++", 1500, 16, 12, 1, 0, 0, FAST, KENTRO_INIT_KMEANS_PLUS_PLUS, 0, 0, 0, 0, 2},
    {"k-means||", 1500, 16, 40, 1, 0, 0, FAST, KENTRO_INIT_KMEANS_PARALLEL, 0, 0, 0, 0, 1},
    {"tree", 1500, 16, 40, 1, 0, 0, FAST, KENTRO_INIT_TREE, 0, 0, 0, 0, 1},
    {"random rows", 1500, 16, 12, 0, 0, 0, FAST, KENTRO_INIT_RANDOM, 0, 0, 0, 0, 3},
    {"given centroids", 1500, 16, 12, 1, 0, 0, DEFAULT, AUTO, 1, 0, 0, 0, 1},
    {"float32 tiles", 1500, 16, 64, 1, 0, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"codes of dimensions", 1200, 48, 64, 1, 0, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"codes of principal coordinates", 1200, 96, 64, 0, 0, 0, DEFAULT, AUTO, 0, 0, 1, 0, 1},
    {"k-d trees", 3000, 3, 100, 1, 0, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"little memory", 1500, 48, 64, 1, 0, 0, DEFAULT, AUTO, 0, 0, 0, 1, 1},
    {"balanced", 800, 8, 10, 1, 1, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"balanced, cosine", 800, 32, 10, 0, 1, 0, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"balanced, best", 64, 2, 4, 1, 1, 0, BEST, AUTO, 0, 0, 0, 0, 2},
    {"balanced, little memory", 1200, 8, 60, 1, 1, 0, FAST, AUTO, 0, 0, 0, 1, 1},
    {"balanced medoids", 400, 8, 8, 1, 1, 1, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"medoids", 600, 8, 10, 1, 0, 1, DEFAULT, AUTO, 0, 0, 0, 0, 1},
    {"medoids, given", 600, 8, 10, 0, 0, 1, DEFAULT, AUTO, 1, 0, 0, 0, 1},
    {"medoids, sampled", 3000, 8, 10, 1, 0, 1, DEFAULT, AUTO, 0, 0, 0, 1, 1},
    {"medoids, sampled, cosine", 3000, 8, 10, 0, 0, 1, DEFAULT, AUTO, 0, 0, 0, 1, 2},
};

/* After so few iterations there is nothing left that would be new. */
enum { MODES = sizeof modes / sizeof modes[0], TOP = 3, FEW = 5, ITERATIONS = 6 };

/* What the attempts share: made before anything is refused. */
static const mode *current;
static size_t num_threads;
static float *floats;
static double *doubles, *weights;
static uint32_t *labels;
static double *distances;
static unsigned char *bytes; /* of a model, and */
static size_t capacity;      /* how many at most */
static kentro_error *error;
static char folder[64], path[80];

static void make_data(const mode *m)
{
    uint64_t state = 3;
    size_t i, j;
    floats = allocate(m->rows * m->cols, sizeof *floats);
    doubles = allocate(m->rows * m->cols * 2, sizeof *doubles);
    weights = allocate(m->rows, sizeof *weights);
    labels = allocate(m->rows * TOP, sizeof *labels);
    distances = allocate(m->rows * (m->k > TOP ? m->k : TOP), sizeof *distances);
    capacity = 16384 + m->rows * 4 + m->k * (m->cols * 700 + 1024);
    bytes = allocate(capacity, 1);
    for (i = 0; i < m->rows; i++) {
        double scale = 1;
        weights[i] = 0.5 + unit(&state);
        for (j = 0; j < m->cols; j++) {
            double blob = (double)((i % (m->k + 3)) * (j + 1) % 7);
            double value = blob + 2 * unit(&state);
            if (m->low_rank)
                value *= scale, scale = j >= 6 ? 0.01 : 1;
            floats[i * m->cols + j] = (float)value;
            doubles[(i * m->cols + j) * 2] = value / 3;
        }
    }
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *next = bytes;
    while (len-- > 0)
        hash = (hash ^ *next++) * 1099511628211u;
    return hash;
}

/* Trains a model. */
static kentro_status set_up(kentro_kmeans *kmeans, const mode *m)
{
    kentro_status status = kentro_kmeans_set_euclidean(kmeans, m->euclidean, error);
    if (!status)
        status = kentro_kmeans_set_balanced(kmeans, m->balanced, error);
    if (!status)
        status = kentro_kmeans_set_use_medoids(kmeans, m->medoids, error);
    if (!status)
        status = kentro_kmeans_set_quality(kmeans, m->quality, error);
    if (!status)
        status = m->given
            ? kentro_kmeans_set_init_centroids(kmeans, floats, KENTRO_DTYPE_F32, m->k, m->cols, error)
            : kentro_kmeans_set_init(kmeans, m->init, error);
    if (!status)
        status = kentro_kmeans_set_n_init(kmeans, m->n_init, error);
    if (!status)
        status = kentro_kmeans_set_iterations(kmeans, ITERATIONS, error);
    if (!status && m->limited)
        status = kentro_kmeans_set_memory_limit(kmeans, 0, error);
    return status;
}

static kentro_status train(kentro_kmeans *kmeans, const mode *m)
{
    const ptrdiff_t size = sizeof *doubles * 2;
    kentro_points *points = NULL;
    kentro_status status = m->doubles == 1
        ? kentro_points_new(doubles, m->rows, m->cols, (ptrdiff_t)m->cols * size, size,
                            KENTRO_DTYPE_F64, &points, error)
        : kentro_points_new_f32(floats, m->rows, m->cols, &points, error);
    if (!status && m->doubles == 2)
        status = kentro_points_set_weights(points, weights, KENTRO_DTYPE_F64, m->rows, error);
    if (!status)
        status = kentro_kmeans_train(kmeans, points, num_threads, NULL, error);
    kentro_points_free(points);
    return status;
}

/* Asks a trained model everything; `hash` is of all its answers. */
static kentro_status ask(const kentro_kmeans *kmeans, const mode *m, uint64_t *hash)
{
    uint64_t sum = 14695981039346656037u;
    const uint32_t *trained;
    const float *centroids;
    const size_t *members;
    const char *info;
    size_t rows, cols, len;
    double inertia;
    kentro_clusters *clusters = NULL;
    kentro_status status = kentro_kmeans_labels(kmeans, &trained, &len, error);
    if (status)
        return status;
    sum = mix(sum, trained, len * sizeof *trained);
    status = kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, error);
    if (status)
        return status;
    sum = mix(sum, centroids, rows * cols * sizeof *centroids);
    status = kentro_kmeans_inertia(kmeans, &inertia, error);
    if (status)
        return status;
    sum = mix(sum, &inertia, sizeof inertia);
    status = kentro_kmeans_info(kmeans, &info, error);
    if (status)
        return status;
    status = kentro_kmeans_predict_f32(kmeans, floats, m->rows, m->cols, 1, num_threads, NULL,
                                       labels, m->rows, distances, m->rows, NULL, error);
    if (status)
        return status;
    sum = mix(mix(sum, labels, m->rows * sizeof *labels), distances, m->rows * sizeof *distances);
    status = kentro_kmeans_predict_f32(kmeans, floats, m->rows / 4, m->cols, TOP, num_threads,
                                       NULL, labels, m->rows / 4 * TOP, distances,
                                       m->rows / 4 * TOP, NULL, error);
    if (status)
        return status;
    len = m->rows / 4 * (m->k < TOP ? m->k : TOP);
    sum = mix(mix(sum, labels, len * sizeof *labels), distances, len * sizeof *distances);
    for (rows = 1; rows <= 64 && rows <= m->rows; rows *= 64) {
        status = kentro_kmeans_predict_f32(kmeans, floats, rows, m->cols, 1, num_threads, NULL,
                                           labels, rows, distances, rows, NULL, error);
        if (status)
            return status;
        sum = mix(mix(sum, labels, rows * sizeof *labels), distances, rows * sizeof *distances);
    }
    if (m->balanced && !m->medoids) {
        kentro_points *points = NULL;
        status = kentro_points_new_f32(floats, m->rows, m->cols, &points, error);
        if (!status)
            status = kentro_kmeans_predict_balanced(kmeans, points, num_threads, NULL, labels,
                                                    m->rows, NULL, 0, error);
        kentro_points_free(points);
        if (status)
            return status;
        sum = mix(sum, labels, m->rows * sizeof *labels);
    }
    status = assign_f32(kmeans, floats, m->rows, m->cols, 2, num_threads, NULL, &clusters,
                                      error);
    if (status)
        return status;
    status = kentro_clusters_all_members(clusters, &members, &len, error);
    sum = mix(sum, members, len * sizeof *members);
    kentro_clusters_free(clusters);
    clusters = NULL;
    if (status)
        return status;
    status = kentro_kmeans_clusters(kmeans, &clusters, error);
    kentro_clusters_free(clusters);
    *hash = sum;
    return status;
}

/* What is left to ask; writes a model to memory and in the place of a file, and
 * reads it from there. */
static kentro_status keep(const kentro_kmeans *kmeans, const mode *m, uint64_t *hash)
{
    kentro_points *points = NULL;
    kentro_kmeans *other = NULL;
    char line[1024];
    size_t len;
    double score;
    kentro_status status = kentro_kmeans_describe(kmeans, line, sizeof line, &len, error);
    if (!status) {
        *hash = mix(*hash, line, len);
        status = kentro_kmeans_clone_untrained(kmeans, &other, error);
    }
    kentro_kmeans_free(other);
    other = NULL;
    if (!status)
        status = kentro_kmeans_serialize(kmeans, 1, bytes, capacity, &len, error);
    if (!status) {
        *hash = mix(*hash, bytes, len);
        status = kentro_kmeans_deserialize(bytes, len, &other, error);
    }
    if (!status)
        status = kentro_kmeans_save(other, path, 1, error);
    kentro_kmeans_free(other);
    other = NULL;
    if (!status)
        status = kentro_kmeans_load(path, &other, error);
    if (!status)
        status = kentro_kmeans_serialize(other, 1, bytes, capacity, &len, error);
    if (!status)
        *hash = mix(*hash, bytes, len);
    kentro_kmeans_free(other);
    other = NULL;
    if (!status)
        status = kentro_points_new_f32(floats, m->rows / 4, m->cols, &points, error);
    if (!status)
        status = kentro_kmeans_transform(kmeans, points, num_threads, NULL, distances,
                                         m->rows * m->k, &len, error);
    if (!status) {
        *hash = mix(*hash, distances, m->rows / 4 * len * sizeof *distances);
        status = kentro_kmeans_score(kmeans, points, num_threads, NULL, &score, error);
    }
    if (!status) {
        *hash = mix(*hash, &score, sizeof score);
        status = kentro_kmeans_from_centroids(points, m->euclidean, NULL, 0, &other, error);
    }
    kentro_kmeans_free(other);
    kentro_points_free(points);
    return status;
}

/* What half of the rows come to for the first centroids; for the caller to free. */
/* A step of a seeding of two clusters over one block. */
static kentro_status seed_step(kentro_seeding *seeding, kentro_block *block)
{
    kentro_message *question = NULL, *answer = NULL;
    const float *candidates = NULL;
    const uint8_t *asked = NULL, *said = NULL;
    size_t count = 0, cols = 0, size = 0;
    kentro_status status = kentro_seeding_candidates(seeding, &candidates, &count, &cols, error);
    if (!status)
        status = kentro_seeding_question(seeding, 0, &question, error);
    if (!status)
        status = kentro_message_bytes(question, &asked, &size, error);
    if (!status)
        status = kentro_block_seed(block, candidates, count, cols, asked, size, num_threads, NULL,
                                   &answer, error);
    if (!status)
        status = kentro_message_bytes(answer, &said, &size, error);
    if (!status)
        status = kentro_seeding_take(seeding, &said, &size, 1, num_threads, NULL, error);
    kentro_message_free(question);
    kentro_message_free(answer);
    return status;
}

static kentro_status seeds(const mode *m, kentro_block *block)
{
    kentro_seeding *seeding = NULL;
    const float *centroids = NULL;
    size_t k, d;
    kentro_status status = kentro_seeding_new(2, m->euclidean, 7, &seeding, error);
    while (!status && centroids == NULL) {
        status = seed_step(seeding, block);
        if (!status)
            status = kentro_seeding_centroids(seeding, &centroids, &k, &d, error);
    }
    kentro_seeding_free(seeding);
    return status;
}

static kentro_status half(const mode *m, size_t first, kentro_partial **partial)
{
    const size_t rows = m->rows / 2;
    kentro_points *points = NULL;
    kentro_block *block = NULL;
    kentro_status status
        = kentro_points_new_f32(floats + first * m->cols, rows, m->cols, &points, error);
    if (!status)
        status = kentro_block_new(points, m->euclidean, &block, error);
    if (!status)
        status = seeds(m, block);
    if (!status)
        status = kentro_block_partial(block, floats, m->k, m->cols, num_threads, NULL, partial, error);
    if (!status)
        status = kentro_block_labels(block, labels, rows, error);
    kentro_block_free(block);
    kentro_points_free(points);
    return status;
}

/* An iteration over the rows in two blocks, of which one comes from elsewhere. */
static kentro_status in_parts(const mode *m, uint64_t *hash)
{
    kentro_partial *one = NULL, *two = NULL, *read = NULL;
    float *means = (float *)distances;
    const size_t values = m->k * m->cols;
    size_t len;
    int32_t converged;
    kentro_status status;
    if (values * sizeof *means > m->rows * TOP * sizeof *distances)
        return KENTRO_STATUS_OK; /* no room for the means */
    status = half(m, 0, &one);
    if (!status)
        status = half(m, m->rows / 2, &two);
    if (!status)
        status = kentro_partial_serialize(two, bytes, capacity, &len, error);
    if (!status)
        status = kentro_partial_deserialize(bytes, len, &read, error);
    if (!status)
        status = kentro_partial_merge(one, read, error);
    if (!status)
        status = kentro_partial_finalize(one, floats, means, values, &converged, error);
    if (!status)
        *hash = mix(*hash, means, values * sizeof *means);
    kentro_partial_free(read);
    kentro_partial_free(two);
    kentro_partial_free(one);
    return status;
}

/* A model from its making to its last answer; it is the caller's to free. */
static kentro_status whole_life(const mode *m, kentro_kmeans **kmeans, uint64_t *hash)
{
    kentro_kmeans *copy = NULL;
    kentro_status status = kentro_kmeans_new(m->k, kmeans, error);
    if (!status)
        status = set_up(*kmeans, m);
    if (!status)
        status = train(*kmeans, m);
    if (!status)
        status = kentro_kmeans_clone(*kmeans, &copy, error);
    if (!status)
        status = ask(copy, m, hash);
    if (!status)
        status = keep(copy, m, hash);
    if (!status)
        status = in_parts(m, hash);
    kentro_kmeans_free(copy);
    return status;
}

/* --- The attempts of a child -------------------------------------------- */

enum { FRAMES = 64 };

/* In memory that parent and child share. */
typedef struct {
    size_t next;      /* the number of the allocation that is refused */
    size_t ended, succeeded, faults;
    int done;
    char fault[256];  /* the first */
    int n_frames;
    void *frames[FRAMES];
} report;

static report *shared;
static uint64_t expected;

static void fault(const char *what)
{
    if (shared->faults++ == 0)
        snprintf(shared->fault, sizeof shared->fault, "allocation %zu: %s: %s", shared->next, what,
                 kentro_error_message(error));
}

static void note_frames(int signal_number)
{
    atomic_store(&armed, 0);
    shared->n_frames = backtrace(shared->frames, FRAMES);
    _exit(signal_number == SIGABRT ? 97 : 98);
}

/* Has all memory been given back, but for so many bytes? */
static void check_live(long long before, long long allowed)
{
    const long long left = atomic_load(&live) - before;
    char text[80];
    if (left <= allowed && (left >= 0 || num_threads > 1))
        return;
    snprintf(text, sizeof text, "%lld bytes are left", left);
    fault(text);
}

static void attempt(void)
{
    kentro_kmeans *kmeans = NULL;
    uint64_t hash = 0;
    int32_t trained = 0;
    const long long before = atomic_load(&live);
    kentro_status status;

    refuse = shared->next;
    atomic_store(&asked, 0);
    atomic_store(&armed, 1);
    status = whole_life(current, &kmeans, &hash);
    atomic_store(&armed, 0);
    if (atomic_load(&asked) < refuse) {
        shared->done = 1;
        if (status || hash != expected)
            fault("nothing was refused");
        kentro_kmeans_free(kmeans);
        return;
    }
    if (status == KENTRO_STATUS_OK) {
        shared->succeeded++;
        if (hash != expected)
            fault("a different result");
    } else {
        shared->ended++;
        if (status != KENTRO_STATUS_OUT_OF_MEMORY
            && !(status == KENTRO_STATUS_THREADS && num_threads > 1))
            fault("a status that memory is no reason for");
        if (strlen(kentro_error_message(error)) == 0 || kentro_error_status(error) != status)
            fault("no text");
    }

    /* Whatever is left must be as good as new. */
    hash = 0;
    if (kmeans == NULL && kentro_kmeans_new(current->k, &kmeans, error) != KENTRO_STATUS_OK)
        fault("no new model");
    if (kentro_kmeans_is_trained(kmeans, &trained, error) != KENTRO_STATUS_OK)
        fault("the handle is not usable");
    if (!trained && (set_up(kmeans, current) || train(kmeans, current)))
        fault("the handle cannot be trained");
    else if (ask(kmeans, current, &hash) || keep(kmeans, current, &hash)
             || in_parts(current, &hash) || hash != expected)
        fault("a different result afterwards");
    kentro_kmeans_free(kmeans);
    if (num_threads == 1)
        check_live(before, 0);
}

static void attempts(size_t stride)
{
    const long long before = atomic_load(&live);
    /* Rust prints before it ends the process. */
    if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(96);
    signal(SIGABRT, note_frames);
    signal(SIGSEGV, note_frames);
    while (!shared->done) {
        alarm(120); /* an attempt that hangs is a fault, too */
        attempt();
        shared->next += stride;
    }
    /* What the system keeps of threads that have ended comes and goes. */
    check_live(before, num_threads > 1 ? 16384 : 0);
}

/* --- What a child that ended was doing ---------------------------------- */

typedef struct {
    char *address;
    char *name;
} symbol;

static symbol *symbols;
static size_t n_symbols;

/* The functions of the library, ascending. */
static void read_symbols(void)
{
    Dl_info info;
    char command[4200], line[8192];
    FILE *nm;
    if (dladdr((void *)(uintptr_t)kentro_version, &info) == 0)
        return;
    snprintf(command, sizeof command, "nm -n -C --defined-only '%s'", info.dli_fname);
    nm = popen(command, "r");
    while (nm != NULL && fgets(line, sizeof line, nm) != NULL) {
        char *name = strchr(line, ' ');
        if (name == NULL || (name[1] != 't' && name[1] != 'T'))
            continue;
        if (n_symbols % 1024 == 0)
            symbols = realloc(symbols, (n_symbols + 1024) * sizeof *symbols);
        if (symbols == NULL)
            exit(2);
        name += 3;
        name[strcspn(name, "\n")] = '\0';
        symbols[n_symbols].address = (char *)info.dli_fbase + strtoull(line, NULL, 16);
        symbols[n_symbols++].name = strdup(name);
    }
    if (nm != NULL)
        pclose(nm);
}

static const char *name_of(const void *address)
{
    size_t low = 0, high = n_symbols;
    Dl_info info;
    if (dladdr(address, &info) == 0 || info.dli_fname == NULL
        || strstr(info.dli_fname, "libkentro") == NULL)
        return "";
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        *(symbols[middle].address <= (const char *)address ? &low : &high) = middle;
    }
    return n_symbols > 0 ? symbols[low].name : "?";
}

/* Is this a part of the allocator, or of how Rust ends a process? */
static int is_machinery(const char *name)
{
    const char *const parts[] = {"__rust", "rust_oom", "alloc::", "std::alloc", "std::process",
                                 "std::sys", "std::io", "std::fs", "core::", "std::panicking", "std::rt"};
    size_t i;
    if (name[0] == '\0' || strstr(name, " as core::") != NULL)
        return 1;
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strncmp(name + (name[0] == '<'), parts[i], strlen(parts[i])) == 0)
            return 1;
    return 0;
}

/* What nobody can catch from outside: memory that the standard library and
 * rayon take for a thread's own start, and for the box of a job. */
static int excused(const char *name)
{
    return num_threads > 1
        && (strstr(name, "rayon_core::") != NULL || strstr(name, "std::thread::") != NULL
            || strstr(name, "crossbeam") != NULL || strstr(name, "threads::pool::") != NULL
            || strstr(name, "threads::Threads::run_parallel") != NULL);
}

static const char *culprit(void)
{
    static char name[512];
    int i;
    for (i = 0; i < shared->n_frames; i++) {
        snprintf(name, sizeof name, "%s", name_of(shared->frames[i]));
        if (!is_machinery(name))
            return name;
    }
    return "?";
}

/* --- All of it ---------------------------------------------------------- */

static int all;
static size_t refusals, statuses, successes, ends, excuses;

/* Refuses the allocations of a mode; a fault a line is printed. */
static void sweep(void)
{
    char last[512] = "";
    kentro_kmeans *kmeans = NULL;
    size_t stride = 1;
    int i;
    /* Twice: what is made once and kept is there afterwards. */
    for (i = 0; i < 2; i++) {
        refuse = 0;
        atomic_store(&asked, 0);
        atomic_store(&armed, 1);
        if (whole_life(current, &kmeans, &expected) != KENTRO_STATUS_OK) {
            printf("  %s: %s\n", current->name, kentro_error_message(error));
            test_ok = 0;
            return;
        }
        atomic_store(&armed, 0);
        kentro_kmeans_free(kmeans);
    }
    if (!all)
        stride = asked / FEW + 1;
    memset(shared, 0, sizeof *shared);
    shared->next = 1 + stride / 3;
    while (!shared->done) {
        int status = 0;
        pid_t child;
        fflush(stdout);
        shared->n_frames = 0;
        child = fork();
        if (child == 0) {
            attempts(stride);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            exit(2);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            const char *name = WIFEXITED(status) ? culprit() : "(it hung)";
            if (WIFEXITED(status) && excused(name)) {
                excuses++;
            } else {
                ends++;
                test_ok = 0;
                if (strcmp(name, last) != 0)
                    printf("  %s, %zu threads, allocation %zu ended the process: %s\n",
                           current->name, num_threads, shared->next, name);
                snprintf(last, sizeof last, "%s", name);
            }
            refusals++;
            shared->next += stride;
        }
    }
    refusals += shared->ended + shared->succeeded;
    statuses += shared->ended;
    successes += shared->succeeded;
    if (shared->faults > 0) {
        printf("  %s, %zu threads: %zu faults; the first at %s\n", current->name, num_threads,
               shared->faults, shared->fault);
        test_ok = 0;
    }
}

static void sweep_modes(void)
{
    size_t i;
    for (i = 0; i < MODES; i++) {
        current = &modes[i];
        make_data(current);
        sweep();
        free(floats);
        free(doubles);
        free(weights);
        free(labels);
        free(distances);
        free(bytes);
    }
}

static void any_allocation_may_be_refused_on_one_thread(void)
{
    num_threads = 1;
    least = 0;
    sweep_modes();
}

static void any_allocation_may_be_refused_on_two_threads(void)
{
    num_threads = 2;
    least = 0;
    sweep_modes();
}

static void large_allocations_may_be_refused(void)
{
    num_threads = 2;
    least = 16384;
    sweep_modes();
}

/* Files that ended processes left behind, too. */
static void remove_folder(void)
{
    DIR *files = opendir(folder);
    struct dirent *file;
    while (files != NULL && (file = readdir(files)) != NULL)
        unlinkat(dirfd(files), file->d_name, 0);
    if (files != NULL)
        closedir(files);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    void *frames[4];
    all = argc > 1 && strcmp(argv[1], "all") == 0;
    setenv("RUST_BACKTRACE", "0", 1);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    error = kentro_error_new();
    /* In memory where there is such a folder: files are synced. */
    sprintf(folder, "%s/kentro-allocations-XXXXXX",
            access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (shared == MAP_FAILED || error == NULL || mkdtemp(folder) == NULL)
        return 2;
    sprintf(path, "%s/model", folder);
    backtrace(frames, 4); /* loads what it needs */
    read_symbols();
    RUN(any_allocation_may_be_refused_on_one_thread);
    RUN(any_allocation_may_be_refused_on_two_threads);
    RUN(large_allocations_may_be_refused);
    printf("%zu allocations refused: %zu ended in a status, %zu in the right result, "
           "%zu in the start of a thread, %zu ended the process\n",
           refusals, statuses, successes, excuses, ends);
    remove_folder();
    kentro_error_free(error);
    return finish();
}
