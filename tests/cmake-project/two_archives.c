/* Uses Kentro and another Rust library, both static, in one program. */

#include <kentro.h>

#include <stdio.h>

int other_words(int n);
int other_panics(void);

int main(void) {
    float data[4000];
    kentro_kmeans *kmeans = NULL;
    kentro_points *points = NULL;
    kentro_status status;
    int i;
    for (i = 0; i < 4000; i++)
        data[i] = (float)(i % 17) + (float)(i / 1000);
    kentro_points_new_f32(data, 2000, 2, &points, NULL);
    kentro_kmeans_new(8, &kmeans, NULL);
    status = kentro_kmeans_train(kmeans, points, 2, NULL, NULL);
    printf("status %d, %d words, %s\n", (int)status, other_words(20),
           other_panics() ? "a panic caught" : "no panic");
    kentro_kmeans_free(kmeans);
    kentro_points_free(points);
    return 0;
}
