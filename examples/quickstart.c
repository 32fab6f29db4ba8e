/* Clusters handwritten digits with each kind of model.
 *
 * cc -std=c99 -O2 examples/quickstart.c $(pkg-config --cflags --libs kentro) -o quickstart
 * ./quickstart [DIGITS.csv] */

#include <kentro.h>

#include <stdio.h>
#include <stdlib.h>

enum { N_CLUSTERS = 10, PIXELS = 64 };

typedef struct {
    size_t rows;
    float *pixels; /* rows x PIXELS */
    int *digits;   /* what each row shows */
} digits;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "quickstart: %s: %s\n", what, why);
    exit(1);
}

/* What the last call had to say. */
static kentro_error *error;

/* Ends the program where a call failed. */
static void check(kentro_status status)
{
    if (status != KENTRO_STATUS_OK)
        fail(kentro_status_message(status), kentro_error_message(error));
}

/* Each line is the 64 pixels of a digit, then the digit. */
static digits read_digits(const char *path)
{
    digits data = {0, NULL, NULL};
    size_t capacity = 0;
    char line[1024];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path, "cannot be read");
    while (fgets(line, sizeof line, file) != NULL) {
        char *next = line;
        size_t j;
        if (line[0] == '#')
            continue;
        if (data.rows == capacity) {
            capacity = capacity == 0 ? 256 : 2 * capacity;
            data.pixels = realloc(data.pixels, capacity * PIXELS * sizeof *data.pixels);
            data.digits = realloc(data.digits, capacity * sizeof *data.digits);
            if (data.pixels == NULL || data.digits == NULL)
                fail(path, "out of memory");
        }
        for (j = 0; j < PIXELS; j++) {
            data.pixels[data.rows * PIXELS + j] = strtof(next, &next);
            if (*next++ != ',')
                fail(path, "a line has too few numbers");
        }
        data.digits[data.rows] = (int)strtol(next, NULL, 10);
        if (data.digits[data.rows] < 0 || data.digits[data.rows] > 9)
            fail(path, "a line does not end in a digit");
        data.rows++;
    }
    fclose(file);
    return data;
}

/* How many points show the digit that is the most frequent of these. */
static size_t most_frequent(const size_t *members, size_t len, const int *digits)
{
    size_t counts[10] = {0}, most = 0, i;
    for (i = 0; i < len; i++)
        counts[digits[members[i]]]++;
    for (i = 0; i < 10; i++)
        most = counts[i] > most ? counts[i] : most;
    return most;
}

/* Trains the model, prints what it found, and frees it. */
static void cluster(const char *name, kentro_kmeans *kmeans, const digits *data)
{
    kentro_points *points;
    kentro_clusters *clusters;
    const size_t *members, *medoids;
    size_t sizes[N_CLUSTERS], n_medoids, n_iter, pure = 0, j;
    double inertia;

    check(kentro_points_new_f32(data->pixels, data->rows, PIXELS, &points, error));
    check(kentro_kmeans_train(kmeans, points, KENTRO_ALL_THREADS, NULL, error));
    kentro_points_free(points);
    check(kentro_kmeans_inertia(kmeans, &inertia, error));
    check(kentro_kmeans_n_iter(kmeans, &n_iter, error));
    check(kentro_kmeans_medoid_indices(kmeans, &medoids, &n_medoids, error));
    check(kentro_kmeans_clusters(kmeans, &clusters, error));
    for (j = 0; j < N_CLUSTERS; j++) {
        check(kentro_clusters_members(clusters, j, &members, &sizes[j], error));
        pure += most_frequent(members, sizes[j], data->digits);
    }
    kentro_clusters_free(clusters);

    printf("%-10s inertia %12.1f  iterations %2zu  purity %.2f\n", name, inertia, n_iter,
           (double)pure / (double)data->rows);
    printf("  sizes   ");
    for (j = 0; j < N_CLUSTERS; j++)
        printf(" %zu", sizes[j]);
    printf("\n");
    if (n_medoids > 0) {
        printf("  medoids ");
        for (j = 0; j < n_medoids; j++)
            printf("%s row %zu is a %d", j == 0 ? "" : ",", medoids[j], data->digits[medoids[j]]);
        printf("\n");
    }
    kentro_kmeans_free(kmeans);
}

static kentro_kmeans *new_kmeans(int32_t euclidean)
{
    kentro_kmeans *kmeans;
    check(kentro_kmeans_new(N_CLUSTERS, &kmeans, error));
    check(kentro_kmeans_set_euclidean(kmeans, euclidean, error));
    return kmeans;
}

int main(int argc, char **argv)
{
    digits data = read_digits(argc > 1 ? argv[1] : "examples/data/digits.csv");
    kentro_kmeans *balanced, *medoids;
    error = kentro_error_new();
    balanced = new_kmeans(1);
    medoids = new_kmeans(1);
    check(kentro_kmeans_set_balanced(balanced, 1, error));
    check(kentro_kmeans_set_use_medoids(medoids, 1, error));

    printf("%zu handwritten digits, %d pixels each, %d clusters\n\n", data.rows, PIXELS, N_CLUSTERS);
    cluster("cosine", new_kmeans(0), &data);
    cluster("euclidean", new_kmeans(1), &data);
    cluster("balanced", balanced, &data);
    cluster("medoids", medoids, &data);
    kentro_error_free(error);
    free(data.pixels);
    free(data.digits);
    return 0;
}
