/* Texts to topics: words are counted, rare ones weigh more (TF-IDF), and the sparse
 * rows are clustered by cosine. Prints the words that tell most of each topic.
 *
 * cc -std=c99 -O2 examples/topics.c $(pkg-config --cflags --libs kentro) -lm -o topics
 * ./topics */

#include <kentro.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[] = {
    "the telescope shows moons around a distant planet",
    "a comet passed the planet and its moons",
    "stars form where clouds of gas collapse",
    "the telescope found young stars in a gas cloud",
    "bake the bread until the crust is brown",
    "knead flour water and salt then bake",
    "butter and flour make a crust for the cake",
    "a cake of butter sugar and flour",
    "the striker scored a goal before the whistle",
    "the keeper saved every shot at the goal",
    "a match without a goal ends at the whistle",
    "the striker left the match after a foul",
};

enum { TEXTS = sizeof texts / sizeof texts[0], TOPICS = 3, MOST = 200, SHOWN = 3, SHORTEST = 4 };

static char words[MOST][16]; /* the columns, in the order in which they are met */
static size_t n_words;
static float values[MOST];
static int32_t indices[MOST], indptr[TEXTS + 1];
static kentro_error *error; /* what the last call had to say */

/* Ends the program where a call failed. */
static void check(kentro_status status)
{
    if (status != KENTRO_STATUS_OK) {
        fprintf(stderr, "topics: %s\n", kentro_error_message(error));
        exit(1);
    }
}

static size_t column_of(const char *word)
{
    size_t column = 0;
    while (column < n_words && strcmp(words[column], word) != 0)
        column++;
    if (column == n_words)
        strcpy(words[n_words++], word);
    return column;
}

/* Every word of a text is a 1 in its column; repeated ones are added up. */
static void count_words(void)
{
    size_t text, len = 0;
    for (text = 0; text < TEXTS; text++) {
        char copy[100];
        const char *word;
        strcpy(copy, texts[text]);
        for (word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
            if (strlen(word) < SHORTEST)
                continue;
            values[len] = 1;
            indices[len++] = (int32_t)column_of(word);
        }
        indptr[text + 1] = (int32_t)len;
    }
}

/* A word of one text in n counts ln n. */
static void weigh_words(void)
{
    const size_t len = (size_t)indptr[TEXTS];
    size_t at, other;
    for (at = 0; at < len; at++) {
        int found = 0;
        for (other = 0; other < len; other++)
            found += indices[other] == indices[at];
        values[at] = (float)log((double)TEXTS / found);
    }
}

/* Prints the words that a centroid has most of. */
static void print_words(const float *centroid)
{
    char shown[MOST] = {0};
    int i;
    for (i = 0; i < SHOWN; i++) {
        size_t best = 0, column;
        for (column = 0; column < n_words; column++)
            if (shown[best] || (!shown[column] && centroid[column] > centroid[best]))
                best = column;
        shown[best] = 1;
        printf("%s %s", i == 0 ? "" : ",", words[best]);
    }
    printf("\n");
}

int main(void)
{
    kentro_points *points = NULL;
    kentro_kmeans *kmeans = NULL;
    const float *centroids = NULL;
    const uint32_t *labels = NULL;
    size_t rows, cols, len, topic, text;

    error = kentro_error_new();
    count_words();
    weigh_words();
    check(kentro_points_new_csr(values, KENTRO_DTYPE_F32, indices, KENTRO_DTYPE_I32, indptr,
                                KENTRO_DTYPE_I32, TEXTS, n_words, (size_t)indptr[TEXTS], &points,
                                error));
    check(kentro_kmeans_new(TOPICS, &kmeans, error));
    check(kentro_kmeans_train(kmeans, points, KENTRO_ALL_THREADS, NULL, error));
    check(kentro_kmeans_centroids(kmeans, &centroids, &rows, &cols, error));
    check(kentro_kmeans_labels(kmeans, &labels, &len, error));
    printf("%d texts, %u words\n", (int)TEXTS, (unsigned)n_words);
    for (topic = 0; topic < rows; topic++) {
        printf("\ntopic %u:", (unsigned)topic);
        print_words(centroids + topic * cols);
        for (text = 0; text < len; text++)
            if (labels[text] == topic)
                printf("  %s\n", texts[text]);
    }
    kentro_kmeans_free(kmeans);
    kentro_points_free(points);
    kentro_error_free(error);
    return 0;
}
