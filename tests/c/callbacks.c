/* Progress, poll and log callbacks. */

#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include <pthread.h>
#include <unistd.h>

enum { ROWS = 20000, COLS = 32, CLUSTERS = 64 };

/* What the callbacks were told. */
typedef struct {
    pthread_t caller;
    kentro_kmeans *kmeans;
    size_t iterations, polls, infos, warnings;
    size_t cancel_iteration; /* 0: never */
    int cancel_poll, wrong_thread, out_of_order;
    double last_inertia, last_seconds;
    char text[256];
} record;

static record new_record(kentro_kmeans *kmeans)
{
    record record;
    memset(&record, 0, sizeof record);
    record.caller = pthread_self();
    record.kmeans = kmeans;
    return record;
}

static int32_t progress(size_t iteration, double inertia, size_t changed, double seconds,
                        void *user_data)
{
    record *to = user_data;
    to->wrong_thread |= !pthread_equal(to->caller, pthread_self());
    to->out_of_order |= iteration != to->iterations + 1 || seconds < to->last_seconds
        || !(inertia >= 0) || changed > ROWS;
    to->iterations = iteration;
    to->last_inertia = inertia;
    to->last_seconds = seconds;
    return iteration == to->cancel_iteration;
}

static int32_t poll_(void *user_data)
{
    record *to = user_data;
    to->wrong_thread |= !pthread_equal(to->caller, pthread_self());
    to->polls++;
    return to->cancel_poll;
}

static void log_(int32_t level, const char *message, void *user_data)
{
    record *to = user_data;
    to->wrong_thread |= !pthread_equal(to->caller, pthread_self());
    *(level == KENTRO_LOG_WARNING ? &to->warnings : &to->infos) += 1;
    if (to->text[0] == '\0')
        snprintf(to->text, sizeof to->text, "%s", message);
}

/* Rows without structure take many iterations. */
static float *noise(void)
{
    float *data = allocate(ROWS * COLS, sizeof *data);
    uint64_t state = 11;
    size_t i;
    for (i = 0; i < ROWS * COLS; i++)
        data[i] = (float)unit(&state);
    return data;
}

static void check_untrained(const kentro_kmeans *kmeans)
{
    int32_t trained = -1;
    OK(kentro_kmeans_is_trained(kmeans, &trained, test_error));
    CHECK(trained == 0);
}

static void progress_is_told_of_every_iteration(void)
{
    float *data = noise();
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    record seen = new_record(kmeans);
    size_t n_iter = 0;
    OK(kentro_kmeans_set_iterations(kmeans, 10, test_error));
    OK(kentro_kmeans_set_progress(kmeans, progress, &seen, test_error));
    OK(kentro_kmeans_set_poll(kmeans, poll_, &seen, test_error));
    OK(kentro_kmeans_train_f32(kmeans, data, ROWS, COLS, KENTRO_ALL_THREADS, test_error));
    OK(kentro_kmeans_n_iter(kmeans, &n_iter, test_error));
    CHECK(seen.iterations == n_iter && n_iter == 10);
    CHECK(!seen.wrong_thread && !seen.out_of_order && seen.last_inertia > 0);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void progress_cancels_and_the_model_stays_usable(void)
{
    float *data = noise();
    const size_t num_threads[] = {1, 2};
    size_t i;
    for (i = 0; i < 2; i++) {
        kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
        record seen = new_record(kmeans);
        seen.cancel_iteration = 2;
        OK(kentro_kmeans_set_progress(kmeans, progress, &seen, test_error));
        STATUS(KENTRO_STATUS_CANCELLED,
               kentro_kmeans_train_f32(kmeans, data, ROWS, COLS, num_threads[i], test_error));
        CHECK(seen.iterations == 2 && !seen.wrong_thread);
        CHECK(strstr(kentro_error_message(test_error), "Cancelled") != NULL);
        check_untrained(kmeans);
        OK(kentro_kmeans_set_progress(kmeans, NULL, NULL, test_error));
        OK(kentro_kmeans_set_iterations(kmeans, 2, test_error));
        OK(kentro_kmeans_train_f32(kmeans, data, ROWS, COLS, num_threads[i], test_error));
        CHECK(seen.iterations == 2);
        kentro_kmeans_free(kmeans);
    }
    free(data);
}

static void poll_cancels(void)
{
    float *data = noise();
    const size_t num_threads[] = {1, 2};
    size_t i;
    for (i = 0; i < 2; i++) {
        kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
        record seen = new_record(kmeans);
        seen.cancel_poll = 1;
        OK(kentro_kmeans_set_iterations(kmeans, 100000, test_error));
        OK(kentro_kmeans_set_poll(kmeans, poll_, &seen, test_error));
        STATUS(KENTRO_STATUS_CANCELLED,
               kentro_kmeans_train_f32(kmeans, data, ROWS, COLS, num_threads[i], test_error));
        CHECK(seen.polls == 1 && !seen.wrong_thread);
        check_untrained(kmeans);
        kentro_kmeans_free(kmeans);
    }
    free(data);
}

static void log_gets_a_line_an_iteration(void)
{
    float *data = noise();
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    record seen = new_record(kmeans);
    OK(kentro_kmeans_set_verbose(kmeans, 1, test_error));
    OK(kentro_kmeans_set_iterations(kmeans, 3, test_error));
    OK(kentro_kmeans_set_log(kmeans, log_, &seen, test_error));
    OK(kentro_kmeans_train_f32(kmeans, data, ROWS, COLS, 2, test_error));
    CHECK(seen.infos >= 3 && seen.warnings == 0 && !seen.wrong_thread);
    CHECK(strstr(seen.text, "iteration 1: inertia ") == seen.text);
    CHECK(strchr(seen.text, '\n') == NULL);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void log_gets_warnings(void)
{
    const float data[] = {1, 2, 1, 2, 1, 2};
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    record seen = new_record(kmeans);
    OK(kentro_kmeans_set_log(kmeans, log_, &seen, test_error));
    OK(kentro_kmeans_train_f32(kmeans, data, 3, 2, 1, test_error));
    CHECK(seen.warnings == 1 && seen.infos == 0);
    CHECK(strstr(seen.text, "1 of 2 clusters are empty") != NULL);
    kentro_kmeans_free(kmeans);
}

/* Trains verbosely and returns what went to standard output meanwhile. */
static void capture_stdout(kentro_kmeans *kmeans, char *text, size_t size)
{
    float *data = blobs(100, 2, 4);
    FILE *file = tmpfile();
    int saved = dup(1);
    size_t len = 0;
    fflush(stdout);
    if (file == NULL || saved < 0 || dup2(fileno(file), 1) < 0) {
        fprintf(stderr, "cannot redirect standard output\n");
        exit(2);
    }
    OK(kentro_kmeans_train_f32(kmeans, data, 100, 2, 1, test_error));
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    rewind(file);
    len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    fclose(file);
    free(data);
}

static void verbose_lines_go_to_standard_output_without_a_log(void)
{
    char text[4096];
    kentro_kmeans *loud = new_kmeans(2, 1), *quiet = new_kmeans(2, 1), *logged = NULL;
    record seen = new_record(NULL);
    OK(kentro_kmeans_set_verbose(loud, 1, test_error));
    OK(kentro_kmeans_clone(loud, &logged, test_error));
    OK(kentro_kmeans_set_progress(loud, progress, &seen, test_error)); /* makes no difference */
    OK(kentro_kmeans_set_log(logged, log_, &seen, test_error));
    capture_stdout(loud, text, sizeof text);
    CHECK(strstr(text, "iteration 1: inertia ") != NULL);
    CHECK(seen.infos == 0);
    capture_stdout(quiet, text, sizeof text);
    CHECK(text[0] == '\0');
    capture_stdout(logged, text, sizeof text);
    CHECK(text[0] == '\0' && seen.infos > 0);
    kentro_kmeans_free(loud);
    kentro_kmeans_free(quiet);
    kentro_kmeans_free(logged);
}

static int32_t meddle(size_t iteration, double inertia, size_t changed, double seconds,
                      void *user_data)
{
    record *to = user_data;
    const float data[] = {0, 1};
    size_t n_clusters = 0;
    kentro_kmeans *copy = NULL;
    (void)iteration, (void)inertia, (void)changed, (void)seconds;
    /* Reading is fine; the model is as before the call. */
    OK(kentro_kmeans_n_clusters(to->kmeans, &n_clusters, test_error));
    CHECK(n_clusters == 2);
    check_untrained(to->kmeans);
    OK(kentro_kmeans_clone(to->kmeans, &copy, test_error));
    kentro_kmeans_free(copy);
    /* Changing is not. */
    STATUS(KENTRO_STATUS_BUSY, kentro_kmeans_set_seed(to->kmeans, 1, test_error));
    STATUS(KENTRO_STATUS_BUSY, kentro_kmeans_set_progress(to->kmeans, NULL, NULL, test_error));
    STATUS(KENTRO_STATUS_BUSY, kentro_kmeans_train_f32(to->kmeans, data, 2, 1, 1, test_error));
    to->iterations++;
    return 0;
}

static void callbacks_may_read_their_handle_only(void)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    record seen = new_record(kmeans);
    OK(kentro_kmeans_set_progress(kmeans, meddle, &seen, test_error));
    OK(kentro_kmeans_train_f32(kmeans, data, 4, 1, 1, test_error));
    CHECK(seen.iterations > 0);
    OK(kentro_kmeans_set_seed(kmeans, 1, test_error));
    kentro_kmeans_free(kmeans);
}

static int32_t train_another(size_t iteration, double inertia, size_t changed, double seconds,
                             void *user_data)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *other = new_kmeans(2, 1);
    (void)iteration, (void)inertia, (void)changed, (void)seconds;
    OK(kentro_kmeans_train_f32(other, data, 4, 1, 1, test_error));
    kentro_kmeans_free(other);
    ++*(int *)user_data;
    return 0;
}

static void callbacks_may_use_other_handles(void)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    int calls = 0;
    OK(kentro_kmeans_set_progress(kmeans, train_another, &calls, test_error));
    OK(kentro_kmeans_train_f32(kmeans, data, 4, 1, 1, test_error));
    CHECK(calls > 0);
    kentro_kmeans_free(kmeans);
}

static void clones_copy_callbacks(void)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *kmeans = new_kmeans(2, 1), *copy = NULL;
    record seen = new_record(kmeans);
    OK(kentro_kmeans_set_progress(kmeans, progress, &seen, test_error));
    OK(kentro_kmeans_clone(kmeans, &copy, test_error));
    OK(kentro_kmeans_set_progress(kmeans, NULL, NULL, test_error));
    OK(kentro_kmeans_train_f32(kmeans, data, 4, 1, 1, test_error));
    CHECK(seen.iterations == 0);
    OK(kentro_kmeans_train_f32(copy, data, 4, 1, 1, test_error));
    CHECK(seen.iterations > 0);
    kentro_kmeans_free(kmeans);
    kentro_kmeans_free(copy);
}

int main(void)
{
    RUN(progress_is_told_of_every_iteration);
    RUN(progress_cancels_and_the_model_stays_usable);
    RUN(poll_cancels);
    RUN(log_gets_a_line_an_iteration);
    RUN(log_gets_warnings);
    RUN(verbose_lines_go_to_standard_output_without_a_log);
    RUN(callbacks_may_read_their_handle_only);
    RUN(callbacks_may_use_other_handles);
    RUN(clones_copy_callbacks);
    return finish();
}
