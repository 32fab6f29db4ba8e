/* Numbers of threads, threads of the caller's, and forks. */

#define _XOPEN_SOURCE 700

#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 20000, COLS = 16, CLUSTERS = 12 };

static float *data;
static uint32_t expected[ROWS];

static int same_as_expected(const kentro_kmeans *kmeans)
{
    const uint32_t *labels = NULL;
    size_t len = 0;
    return kentro_kmeans_labels(kmeans, &labels, &len, NULL) == KENTRO_STATUS_OK && len == ROWS
        && memcmp(labels, expected, sizeof expected) == 0;
}

/* Trains a new model and compares its labels; returns 1 if all is well. */
static int trains_as_expected(size_t num_threads)
{
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    kentro_status status = train_f32(kmeans, data, ROWS, COLS, num_threads, NULL, NULL);
    int same = status == KENTRO_STATUS_OK && same_as_expected(kmeans);
    kentro_kmeans_free(kmeans);
    return same;
}

static void the_number_of_threads_does_not_matter(void)
{
    const size_t numbers[] = {1, 2, 3, 8, 1000000000, SIZE_MAX - 1, KENTRO_ALL_THREADS, 2, 1};
    size_t i;
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        CHECK(trains_as_expected(numbers[i]));
}

static void zero_threads_is_an_error(void)
{
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           train_f32(kmeans, data, ROWS, COLS, 0, NULL, test_error));
    CHECK(strstr(kentro_error_message(test_error), "num_threads must be positive, got 0") != NULL);
    kentro_kmeans_free(kmeans);
}

/* Runs `body` in a child process; returns its exit code. */
static int in_child(int (*body)(void))
{
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0)
        _exit(body());
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int child_trains(void)
{
    alarm(60); /* a pool shared with the parent would hang */
    return trains_as_expected(2) && trains_as_expected(1) ? 0 : 1;
}

static void a_forked_child_trains_like_its_parent(void)
{
    CHECK(trains_as_expected(2));
    CHECK(in_child(child_trains) == 0);
    CHECK(trains_as_expected(2));
}

static size_t default_threads(void)
{
    size_t count = 0;
    STATUS(KENTRO_STATUS_OK, kentro_default_threads(&count, test_error));
    return count;
}

static int child_obeys_the_environment(void)
{
    setenv("KENTRO_NUM_THREADS", " 1 ", 1);
    return default_threads() == 1 && trains_as_expected(KENTRO_ALL_THREADS) ? 0 : 1;
}

static int child_is_told_of_a_wrong_environment(void)
{
    size_t count = 7;
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    kentro_status status;
    setenv("KENTRO_NUM_THREADS", "many", 1);
    status = train_f32(kmeans, data, ROWS, COLS, KENTRO_ALL_THREADS, NULL,
                                     test_error);
    if (status != KENTRO_STATUS_INVALID_PARAMETER
        || !strstr(kentro_error_message(test_error), "KENTRO_NUM_THREADS")
        || !strstr(kentro_error_message(test_error), "many"))
        return 1;
    if (kentro_default_threads(&count, NULL) != status || count != 7 || !trains_as_expected(1))
        return 2;
    kentro_kmeans_free(kmeans);
    kentro_set_default_threads(1, NULL);
    return default_threads() == 1 && trains_as_expected(KENTRO_ALL_THREADS) ? 0 : 3;
}

/* The first of all: the environment is read once, when a number is needed. */
static void the_environment_has_a_default(void)
{
    CHECK(in_child(child_obeys_the_environment) == 0);
    CHECK(in_child(child_is_told_of_a_wrong_environment) == 0);
}

static void the_program_has_a_default(void)
{
    size_t all = default_threads();
    CHECK(all >= 1);
    STATUS(KENTRO_STATUS_INVALID_PARAMETER, kentro_set_default_threads(0, test_error));
    CHECK(strstr(kentro_error_message(test_error), "num_threads must be positive") != NULL);
    CHECK(default_threads() == all);
    STATUS(KENTRO_STATUS_OK, kentro_set_default_threads(1, test_error));
    CHECK(default_threads() == 1);
    CHECK(trains_as_expected(KENTRO_ALL_THREADS));
    STATUS(KENTRO_STATUS_OK, kentro_set_default_threads(SIZE_MAX - 1, test_error));
    CHECK(default_threads() == all);
    STATUS(KENTRO_STATUS_OK, kentro_set_default_threads(KENTRO_ALL_THREADS, test_error));
    CHECK(default_threads() == all);
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_default_threads(NULL, test_error));
}

/* Small stacks of signal handlers are refused in a process that has AMX, so this one must
 * not have got it: by codes of 8 bits, where they pay. */
static int child_does_without_amx(void)
{
    enum { MANY = 4000, WIDE = 96, CENTRES = 120 };
    float *wide = blobs(MANY, WIDE, CENTRES);
    kentro_kmeans *kmeans = new_kmeans(CENTRES, 1);
    char small[4096];
    stack_t stack = {.ss_sp = small, .ss_size = sizeof small}, before;
    int failed;
    if (sigaltstack(&stack, &before) != 0)
        return 0; /* a system that wants larger ones anyway */
    sigaltstack(&before, NULL);
    kentro_allow_amx(0);
    failed = train_f32(kmeans, wide, MANY, WIDE, 1, NULL, test_error) != KENTRO_STATUS_OK
        || sigaltstack(&stack, NULL) != 0;
    kentro_kmeans_free(kmeans);
    free(wide);
    return failed;
}

static void amx_is_not_asked_for_where_it_is_forbidden(void)
{
    CHECK(in_child(child_does_without_amx) == 0);
    kentro_allow_amx(1);
    CHECK(trains_as_expected(1));
}

static void *train_in_thread(void *result)
{
    int i;
    for (i = 0; i < 3; i++)
        *(int *)result += trains_as_expected(2);
    return NULL;
}

static void threads_train_handles_of_their_own(void)
{
    pthread_t threads[2];
    int results[2] = {0, 0};
    size_t i;
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, train_in_thread, &results[i]) == 0);
    for (i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(results[0] == 3 && results[1] == 3);
}

typedef struct {
    kentro_kmeans *kmeans;
    kentro_status status;
} shared;

static void *train_shared(void *argument)
{
    shared *shared = argument;
    shared->status = train_f32(shared->kmeans, data, ROWS, COLS, 1, NULL, NULL);
    return NULL;
}

static void only_one_of_many_threads_trains_a_handle(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    shared arguments[THREADS];
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    size_t i, trained = 0;
    for (i = 0; i < THREADS; i++) {
        arguments[i].kmeans = kmeans;
        CHECK(pthread_create(&threads[i], NULL, train_shared, &arguments[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        trained += arguments[i].status == KENTRO_STATUS_OK;
        CHECK(arguments[i].status == KENTRO_STATUS_OK
              || arguments[i].status == KENTRO_STATUS_BUSY
              || arguments[i].status == KENTRO_STATUS_ALREADY_TRAINED);
    }
    CHECK(trained == 1);
    CHECK(same_as_expected(kmeans));
    kentro_kmeans_free(kmeans);
}

static void *predict_shared(void *argument)
{
    shared *shared = argument;
    uint32_t *labels = allocate(ROWS, sizeof *labels);
    kentro_error *error = kentro_error_new();
    int i;
    for (i = 0; i < 3; i++) {
        shared->status = kentro_kmeans_predict_f32(shared->kmeans, data, ROWS, COLS, 1, 2, NULL,
                                                   labels, ROWS, NULL, 0, NULL, NULL);
        if (shared->status == KENTRO_STATUS_OK
            && memcmp(labels, expected, sizeof expected) != 0)
            shared->status = KENTRO_STATUS_INTERNAL;
        /* Errors of threads that share a handle don't harm each other. */
        if (kentro_kmeans_predict_f32(shared->kmeans, data, ROWS, COLS, 0, 2, NULL, labels, ROWS,
                                      NULL, 0, NULL, error) != KENTRO_STATUS_INVALID_PARAMETER
            || strcmp(kentro_error_message(error), "Invalid parameter: k must be positive") != 0)
            shared->status = KENTRO_STATUS_INTERNAL;
    }
    kentro_error_free(error);
    free(labels);
    return NULL;
}

static void threads_share_a_trained_handle(void)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    shared arguments[THREADS];
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    size_t i;
    OK(train_f32(kmeans, data, ROWS, COLS, 2, NULL, NULL));
    for (i = 0; i < THREADS; i++) {
        arguments[i].kmeans = kmeans;
        CHECK(pthread_create(&threads[i], NULL, predict_shared, &arguments[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(arguments[i].status == KENTRO_STATUS_OK);
    }
    kentro_kmeans_free(kmeans);
}

int main(void)
{
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    const uint32_t *labels = NULL;
    size_t len = 0;
    data = blobs(ROWS, COLS, 16);
    if (train_f32(kmeans, data, ROWS, COLS, 1, NULL, NULL) != KENTRO_STATUS_OK
        || kentro_kmeans_labels(kmeans, &labels, &len, NULL) != KENTRO_STATUS_OK)
        return 2;
    memcpy(expected, labels, sizeof expected);
    kentro_kmeans_free(kmeans);

    RUN(the_environment_has_a_default);
    RUN(the_number_of_threads_does_not_matter);
    RUN(the_program_has_a_default);
    RUN(amx_is_not_asked_for_where_it_is_forbidden);
    RUN(zero_threads_is_an_error);
    RUN(a_forked_child_trains_like_its_parent);
    RUN(threads_train_handles_of_their_own);
    RUN(only_one_of_many_threads_trains_a_handle);
    RUN(threads_share_a_trained_handle);
    free(data);
    return finish();
}
