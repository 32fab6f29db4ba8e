#include <kentro.h>

#include <stdio.h>

int main(void) {
    const float data[] = {0, 0, 9, 9, 0, 1, 9, 8};
    const uint32_t *labels = NULL;
    size_t count = 0;
    kentro_kmeans *kmeans = NULL;
    kentro_points *points = NULL;
    kentro_error *error = kentro_error_new();
    if (kentro_kmeans_new(2, &kmeans, error) != KENTRO_STATUS_OK ||
        kentro_kmeans_set_euclidean(kmeans, 1, error) != KENTRO_STATUS_OK ||
        kentro_points_new_f32(data, 4, 2, &points, error) != KENTRO_STATUS_OK ||
        kentro_kmeans_train(kmeans, points, KENTRO_ALL_THREADS, NULL, error) != KENTRO_STATUS_OK ||
        kentro_kmeans_labels(kmeans, &labels, &count, error) != KENTRO_STATUS_OK) {
        fprintf(stderr, "%s\n", kentro_error_message(error));
        return 1;
    }
    const int apart = count == 4 && labels[0] == labels[2] && labels[1] == labels[3] && labels[0] != labels[1];
    printf("Kentro %s: %s\n", kentro_version(), apart ? "two clusters" : "wrong labels");
    kentro_kmeans_free(kmeans);
    kentro_points_free(points);
    kentro_error_free(error);
    return 0;
}
