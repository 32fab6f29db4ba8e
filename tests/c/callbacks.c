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
    size_t iterations, reports, polls, infos, warnings, runs;
    size_t end_iteration; /* 0: never */
    int32_t end, poll_answer;
    unsigned phases;
    int wrong_thread, out_of_order;
    double last_inertia, last_seconds;
    size_t last_total;
    char text[256];
} record;

static record new_record(kentro_kmeans *kmeans)
{
    record record;
    memset(&record, 0, sizeof record);
    record.caller = pthread_self();
    record.kmeans = kmeans;
    record.end = KENTRO_CANCEL;
    return record;
}

static int32_t progress(const kentro_progress *now, void *user_data)
{
    record *to = user_data;
    const int is_iteration = now->total > to->last_total;
    to->wrong_thread |= !pthread_equal(to->caller, pthread_self());
    to->out_of_order |= now->size != sizeof *now || now->total < to->last_total
        || now->total > to->last_total + 1 || now->seconds < to->last_seconds
        || (is_iteration && !(now->inertia >= 0)) || now->changed > ROWS || now->run < to->runs
        || (now->run == to->runs && now->iteration < to->iterations);
    to->reports++;
    to->phases |= 1u << now->phase;
    to->runs = now->run;
    to->iterations = now->iteration;
    to->last_total = now->total;
    to->last_inertia = now->inertia;
    to->last_seconds = now->seconds;
    return now->iteration > 0 && now->iteration == to->end_iteration ? to->end : KENTRO_CONTINUE;
}

static int32_t poll_(void *user_data)
{
    record *to = user_data;
    to->wrong_thread |= !pthread_equal(to->caller, pthread_self());
    to->polls++;
    return to->poll_answer;
}

static void log_(int32_t level, const char *message, void *user_data)
{
    record *to = user_data;
    to->wrong_thread |= !pthread_equal(to->caller, pthread_self());
    *(level == KENTRO_LOG_WARNING ? &to->warnings : &to->infos) += 1;
    if (to->text[0] == '\0')
        snprintf(to->text, sizeof to->text, "%s", message);
}

/* An observer that calls nothing. */
static kentro_observer new_observer(void *user_data)
{
    kentro_observer observer;
    memset(&observer, 0, sizeof observer);
    observer.size = sizeof observer;
    observer.user_data = user_data;
    return observer;
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
    kentro_observer observer = new_observer(&seen);
    size_t n_iter = 0;
    observer.progress = progress;
    observer.poll = poll_;
    OK(kentro_kmeans_set_iterations(kmeans, 10, test_error));
    OK(train_f32(kmeans, data, ROWS, COLS, KENTRO_ALL_THREADS, &observer, test_error));
    OK(kentro_kmeans_n_iter(kmeans, &n_iter, test_error));
    CHECK(seen.iterations == n_iter && n_iter == 10 && seen.last_total == 10 && seen.runs == 1);
    CHECK(!seen.wrong_thread && !seen.out_of_order && seen.last_inertia > 0);
    kentro_kmeans_free(kmeans);

    kmeans = new_kmeans(CLUSTERS, 1);
    seen = new_record(kmeans);
    OK(kentro_kmeans_set_iterations(kmeans, 4, test_error));
    OK(kentro_kmeans_set_n_init(kmeans, 3, test_error));
    OK(train_f32(kmeans, data, ROWS, COLS, 1, &observer, test_error));
    CHECK(seen.runs == 3 && seen.last_total == 12 && !seen.out_of_order);
    kentro_kmeans_free(kmeans);
    free(data);
}

static void cancelling_leaves_the_model_usable(void)
{
    float *data = noise();
    const size_t num_threads[] = {1, 2};
    const int32_t answers[] = {KENTRO_CANCEL, -1, 3, INT32_MAX};
    size_t i, j;
    for (i = 0; i < 2; i++)
        for (j = 0; j < 4; j++) {
            kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
            record seen = new_record(kmeans);
            kentro_observer observer = new_observer(&seen);
            observer.progress = progress;
            seen.end_iteration = 2;
            seen.end = answers[j];
            STATUS(KENTRO_STATUS_CANCELLED,
                   train_f32(kmeans, data, ROWS, COLS, num_threads[i], &observer,
                                           test_error));
            CHECK(seen.iterations == 2 && !seen.wrong_thread);
            DETAIL("Cancelled; the model is unchanged");
            check_untrained(kmeans);
            OK(kentro_kmeans_set_iterations(kmeans, 2, test_error));
            OK(train_f32(kmeans, data, ROWS, COLS, num_threads[i], NULL, test_error));
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
        kentro_observer observer = new_observer(&seen);
        observer.poll = poll_;
        seen.poll_answer = KENTRO_CANCEL;
        OK(kentro_kmeans_set_iterations(kmeans, 100000, test_error));
        STATUS(KENTRO_STATUS_CANCELLED,
               train_f32(kmeans, data, ROWS, COLS, num_threads[i], &observer,
                                       test_error));
        CHECK(seen.polls == 1 && !seen.wrong_thread);
        check_untrained(kmeans);
        kentro_kmeans_free(kmeans);
    }
    free(data);
}

/* What was kept is whole: labels are those of the nearest centroids, or within
 * the bounds, and no cluster is empty. */
static void check_whole(const kentro_kmeans *kmeans, const float *data, int balanced)
{
    const uint32_t *labels = NULL;
    uint32_t *nearest = allocate(ROWS, sizeof *nearest);
    size_t sizes[CLUSTERS] = {0}, len = 0, i, least = ROWS, most = 0;
    OK(kentro_kmeans_labels(kmeans, &labels, &len, test_error));
    CHECK(len == ROWS);
    for (i = 0; i < len; i++)
        sizes[labels[i]]++;
    for (i = 0; i < CLUSTERS; i++) {
        least = sizes[i] < least ? sizes[i] : least;
        most = sizes[i] > most ? sizes[i] : most;
    }
    CHECK(least > 0 && (!balanced || most - least <= 16));
    OK(kentro_kmeans_predict_f32(kmeans, data, ROWS, COLS, 1, 1, NULL, nearest, ROWS, NULL, 0,
                                 NULL, test_error));
    CHECK(balanced || memcmp(nearest, labels, len * sizeof *labels) == 0);
    free(nearest);
}

static void stopping_keeps_a_whole_model(void)
{
    float *data = noise();
    int balanced, medoids, best, seeding, threads;
    for (balanced = 0; balanced <= 1; balanced++)
        for (medoids = 0; medoids <= 1; medoids++)
            for (best = 0; best <= 1; best++)
                for (seeding = 0; seeding <= 1; seeding++)
                    for (threads = 1; threads <= 2; threads++) {
                        kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
                        record seen = new_record(kmeans);
                        kentro_observer observer = new_observer(&seen);
                        size_t limit = balanced ? 3 : 2;
                        if (best && (medoids || threads == 1)) {
                            kentro_kmeans_free(kmeans);
                            continue;
                        }
                        observer.progress = progress;
                        observer.poll = poll_;
                        seen.end_iteration = 1;
                        seen.end = KENTRO_STOP;
                        seen.poll_answer = seeding ? KENTRO_STOP : KENTRO_CONTINUE;
                        OK(kentro_kmeans_set_balanced(kmeans, balanced, test_error));
                        OK(kentro_kmeans_set_use_medoids(kmeans, medoids, test_error));
                        OK(kentro_kmeans_set_n_init(kmeans, 5, test_error));
                        OK(kentro_kmeans_set_iterations(kmeans, 1000, test_error));
                        if (best)
                            OK(kentro_kmeans_set_quality(kmeans, KENTRO_QUALITY_BEST, test_error));
                        OK(train_f32(kmeans, data, ROWS, COLS, (size_t)threads,
                                                   &observer, test_error));
                        CHECK(seen.last_total >= 1 && seen.last_total <= limit && seen.runs == 1);
                        check_whole(kmeans, data, balanced);
                        kentro_kmeans_free(kmeans);
                    }
    free(data);
}

static void *request_soon(void *cancel)
{
    const struct timespec soon = {0, 30 * 1000 * 1000};
    nanosleep(&soon, NULL);
    kentro_cancel_request(cancel);
    return NULL;
}

static void a_token_cancels_from_another_thread(void)
{
    float *data = noise();
    int i;
    for (i = 0; i < 2; i++) {
        kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
        kentro_observer observer = new_observer(NULL);
        kentro_cancel *cancel = NULL;
        pthread_t thread;
        OK(kentro_cancel_new(&cancel, test_error));
        observer.cancel = cancel;
        OK(kentro_kmeans_set_iterations(kmeans, 1000000, test_error));
        OK(kentro_kmeans_set_n_init(kmeans, 1000000, test_error));
        CHECK(pthread_create(&thread, NULL, request_soon, cancel) == 0);
        STATUS(KENTRO_STATUS_CANCELLED,
               train_f32(kmeans, data, ROWS, COLS, i ? 2 : 1, &observer, test_error));
        pthread_join(thread, NULL);
        /* From now on, too. */
        STATUS(KENTRO_STATUS_CANCELLED,
               train_f32(kmeans, data, ROWS, COLS, 1, &observer, test_error));
        check_untrained(kmeans);
        kentro_cancel_free(cancel);
        kentro_kmeans_free(kmeans);
    }
    STATUS(KENTRO_STATUS_NULL_POINTER, kentro_cancel_new(NULL, test_error));
    kentro_cancel_request(NULL);
    kentro_cancel_free(NULL);
    free(data);
}

/* Records of older and newer versions of the header. */
static void observers_may_be_shorter_or_longer(void)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    record seen = new_record(kmeans);
    struct {
        kentro_observer known;
        void *later;
    } longer;
    memset(&longer, 0, sizeof longer);
    longer.known.progress = progress;
    longer.known.user_data = &seen;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           train_f32(kmeans, data, 4, 1, 1, &longer.known, test_error));
    DETAIL("observer->size is not set; set it to sizeof(kentro_observer)");
    longer.known.size = sizeof longer;
    longer.later = &seen;
    STATUS(KENTRO_STATUS_INVALID_PARAMETER,
           train_f32(kmeans, data, 4, 1, 1, &longer.known, test_error));
    CHECK(seen.reports == 0);
    longer.later = NULL;
    OK(train_f32(kmeans, data, 4, 1, 1, &longer.known, test_error));
    CHECK(seen.reports > 0);
    kentro_kmeans_free(kmeans);

    kmeans = new_kmeans(2, 1);
    seen = new_record(kmeans);
    longer.known.size = offsetof(kentro_observer, progress);
    OK(train_f32(kmeans, data, 4, 1, 1, &longer.known, test_error));
    CHECK(seen.reports == 0);
    kentro_kmeans_free(kmeans);
}

static void log_gets_a_line_an_iteration(void)
{
    float *data = noise();
    kentro_kmeans *kmeans = new_kmeans(CLUSTERS, 1);
    record seen = new_record(kmeans);
    kentro_observer observer = new_observer(&seen);
    observer.log = log_;
    OK(kentro_kmeans_set_verbose(kmeans, 1, test_error));
    OK(kentro_kmeans_set_iterations(kmeans, 3, test_error));
    OK(train_f32(kmeans, data, ROWS, COLS, 2, &observer, test_error));
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
    kentro_observer observer = new_observer(&seen);
    observer.log = log_;
    OK(train_f32(kmeans, data, 3, 2, 1, &observer, test_error));
    CHECK(seen.warnings == 1 && seen.infos == 0);
    CHECK(strstr(seen.text, "1 of 2 clusters are empty") != NULL);
    kentro_kmeans_free(kmeans);
}

/* Trains verbosely and returns what went to standard output meanwhile. */
static void capture_stdout(kentro_kmeans *kmeans, const kentro_observer *observer, char *text,
                           size_t size)
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
    OK(train_f32(kmeans, data, 100, 2, 1, observer, test_error));
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
    int kind;
    for (kind = 0; kind < 4; kind++) {
        kentro_kmeans *kmeans = new_kmeans(2, 1);
        record seen = new_record(kmeans);
        kentro_observer observer = new_observer(&seen);
        if (kind != 1)
            OK(kentro_kmeans_set_verbose(kmeans, 1, test_error));
        if (kind == 2)
            observer.progress = progress; /* makes no difference */
        if (kind == 3)
            observer.log = log_;
        capture_stdout(kmeans, kind == 0 ? NULL : &observer, text, sizeof text);
        CHECK((strstr(text, "iteration 1: inertia ") != NULL) == (kind == 0 || kind == 2));
        CHECK((text[0] == '\0') == (kind == 1 || kind == 3));
        CHECK((seen.infos > 0) == (kind == 3));
        kentro_kmeans_free(kmeans);
    }
}

static int32_t meddle(const kentro_progress *now, void *user_data)
{
    record *to = user_data;
    const float data[] = {0, 1};
    size_t n_clusters = 0;
    kentro_kmeans *copy = NULL;
    (void)now;
    /* Reading is fine; the model is as before the call. */
    OK(kentro_kmeans_n_clusters(to->kmeans, &n_clusters, test_error));
    CHECK(n_clusters == 2);
    check_untrained(to->kmeans);
    OK(kentro_kmeans_clone(to->kmeans, &copy, test_error));
    kentro_kmeans_free(copy);
    /* Changing is not. */
    STATUS(KENTRO_STATUS_BUSY, kentro_kmeans_set_seed(to->kmeans, 1, test_error));
    STATUS(KENTRO_STATUS_BUSY,
           train_f32(to->kmeans, data, 2, 1, 1, NULL, test_error));
    to->iterations++;
    return KENTRO_CONTINUE;
}

static void callbacks_may_read_their_handle_only(void)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    record seen = new_record(kmeans);
    kentro_observer observer = new_observer(&seen);
    observer.progress = meddle;
    OK(train_f32(kmeans, data, 4, 1, 1, &observer, test_error));
    CHECK(kentro_error_status(test_error) == KENTRO_STATUS_OK); /* the outer call ends last */
    CHECK(seen.iterations > 0);
    OK(kentro_kmeans_set_seed(kmeans, 1, test_error));
    kentro_kmeans_free(kmeans);
}

static int32_t train_another(const kentro_progress *now, void *user_data)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *other = new_kmeans(2, 1);
    (void)now;
    OK(train_f32(other, data, 4, 1, 1, NULL, test_error));
    kentro_kmeans_free(other);
    ++*(int *)user_data;
    return KENTRO_CONTINUE;
}

static void callbacks_may_use_other_handles(void)
{
    const float data[] = {0, 1, 10, 11};
    kentro_kmeans *kmeans = new_kmeans(2, 1);
    int calls = 0;
    kentro_observer observer = new_observer(&calls);
    observer.progress = train_another;
    OK(train_f32(kmeans, data, 4, 1, 1, &observer, test_error));
    CHECK(calls > 0);
    kentro_kmeans_free(kmeans);
}

int main(void)
{
    RUN(progress_is_told_of_every_iteration);
    RUN(cancelling_leaves_the_model_usable);
    RUN(poll_cancels);
    RUN(stopping_keeps_a_whole_model);
    RUN(a_token_cancels_from_another_thread);
    RUN(observers_may_be_shorter_or_longer);
    RUN(log_gets_a_line_an_iteration);
    RUN(log_gets_warnings);
    RUN(verbose_lines_go_to_standard_output_without_a_log);
    RUN(callbacks_may_read_their_handle_only);
    RUN(callbacks_may_use_other_handles);
    return finish();
}
