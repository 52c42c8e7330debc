/* Decides the golden vectors of a bundle with the C API of onnxruntime, and says how near it comes.
 *
 *     golden FOLDER        exit code 0: every decision is right; 1: one is not; 2: it cannot run
 *
 * A controller does the same once per interval, with its own inputs: see docs/serving.md for what
 * they are. Check the bundle first (bwalloc verify FOLDER --key PUBLIC): this program checks nothing
 * but the decisions. */
#include <math.h>
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

#define TOLERANCE 1e-5
enum { INPUTS = 12, OUTPUTS = 3, CAPACITY = 8, HOPS = 9, SPAN_OF_LINK = 11 };
/* The last two inputs and the last output are those of policies that order capacity. */
static const char *const input_names[INPUTS] = {
    "demands", "tunnels",      "links",         "globals", "want_gbps", "weight",
    "split",   "spare_weight", "capacity_gbps", "hops",    "spans",     "span_of_link",
};
static const char *const output_names[OUTPUTS] = {"rates_gbps", "action", "span_action"};
static int input_count = INPUTS - 2, output_count = OUTPUTS - 1;

static int is_whole(int input) { return input == HOPS || input == SPAN_OF_LINK; }

static const OrtApi *ort;

static void check(OrtStatus *status) {
    if (!status) return;
    fprintf(stderr, "onnxruntime: %s\n", ort->GetErrorMessage(status));
    ort->ReleaseStatus(status);
    exit(2);
}

/* Memory for one input: the numbers of one decision, aligned. The batch is the last axis. */
typedef struct {
    int64_t shape[MOST_AXES];
    size_t axes, size;
    void *numbers;
} Array;

static Array one_decision(Tensor all, int64_t decision) {
    Array one = {.axes = all.axes};
    int64_t decisions = all.shape[all.axes - 1];
    size_t rows = all.size / sizeof(float) / (size_t)decisions;
    memcpy(one.shape, all.shape, sizeof one.shape);
    one.shape[one.axes - 1] = 1;
    one.size = rows * sizeof(float);
    one.numbers = malloc(one.size + 1); /* a network may sell no spans */
    for (size_t row = 0; one.numbers && row < rows; row++)
        memcpy((float *)one.numbers + row,
               all.numbers + sizeof(float) * (row * (size_t)decisions + (size_t)decision),
               sizeof(float));
    return one;
}

static Array whole(Tensor all) {
    Array one = {.axes = all.axes, .size = all.size, .numbers = malloc(all.size)};
    memcpy(one.shape, all.shape, sizeof one.shape);
    if (one.numbers) memcpy(one.numbers, all.numbers, all.size);
    return one;
}

static OrtSession *open_session(OrtEnv *env, File graph) {
    OrtSessionOptions *options;
    OrtSession *session;
    check(ort->CreateSessionOptions(&options));
    check(ort->SetIntraOpNumThreads(options, 1));
    check(ort->SetInterOpNumThreads(options, 1));
    check(ort->CreateSessionFromArray(env, graph.bytes, graph.size, options, &session));
    ort->ReleaseSessionOptions(options);
    return session;
}

/* Rates and actions for the inputs, in the order of the names; the caller releases `outputs`. */
static void decide(OrtSession *session, const Array *inputs, OrtValue **outputs) {
    OrtMemoryInfo *memory;
    OrtValue *values[INPUTS];
    check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    for (int i = 0; i < input_count; i++)
        check(ort->CreateTensorWithDataAsOrtValue(
            memory, inputs[i].numbers, inputs[i].size, inputs[i].shape, inputs[i].axes,
            is_whole(i) ? ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 : ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
            &values[i]));
    for (int i = 0; i < output_count; i++) outputs[i] = NULL;
    check(ort->Run(session, NULL, input_names, (const OrtValue *const *)values,
                   (size_t)input_count, output_names, (size_t)output_count, outputs));
    for (int i = 0; i < input_count; i++) ort->ReleaseValue(values[i]);
    ort->ReleaseMemoryInfo(memory);
}

/* What is no number stays the largest of all. */
static double larger(double one, double other) {
    return isnan(one) || isnan(other) ? NAN : fmax(one, other);
}

static double difference(OrtValue *found, Array expected, double unit) {
    float *numbers;
    double largest = 0;
    check(ort->GetTensorMutableData(found, (void **)&numbers));
    for (size_t i = 0; i < expected.size / sizeof(float); i++) {
        double apart = fabs((double)numbers[i] - ((float *)expected.numbers)[i]);
        largest = larger(largest, apart / unit);
    }
    return largest;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: golden FOLDER\n");
        return 2;
    }
    ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    if (!ort) {
        fprintf(stderr, "onnxruntime %s is older than the header this was compiled with\n",
                OrtGetApiBase()->GetVersionString());
        return 2;
    }
    File golden = read_file(arguments[1], "golden.safetensors");
    File graph = read_file(arguments[1], "policy.onnx");
    OrtEnv *env;
    check(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bwalloc", &env));
    OrtSession *session = open_session(env, graph);
    if (holds_tensor(golden, "spans")) input_count = INPUTS, output_count = OUTPUTS;

    Tensor capacities = find_tensor(golden, input_names[CAPACITY], "F32");
    int64_t decisions = capacities.shape[capacities.axes - 1];
    double largest = 0;
    for (int64_t each = 0; each < decisions; each++) {
        Array inputs[INPUTS];
        OrtValue *outputs[OUTPUTS];
        double widest = 0;
        for (int i = 0; i < input_count; i++)
            inputs[i] = is_whole(i)
                            ? whole(find_tensor(golden, input_names[i], "I64"))
                            : one_decision(find_tensor(golden, input_names[i], "F32"), each);
        for (size_t link = 0; link < inputs[CAPACITY].size / sizeof(float); link++)
            widest = fmax(widest, ((float *)inputs[CAPACITY].numbers)[link]);
        decide(session, inputs, outputs);
        for (int i = 0; i < output_count; i++) {
            Array expected = one_decision(find_tensor(golden, output_names[i], "F32"), each);
            largest = larger(largest, difference(outputs[i], expected, i == 0 ? widest : 1));
            free(expected.numbers);
            ort->ReleaseValue(outputs[i]);
        }
        for (int i = 0; i < input_count; i++) free(inputs[i].numbers);
    }
    printf("%lld decisions, largest difference %.1e\n", (long long)decisions, largest);
    ort->ReleaseSession(session);
    ort->ReleaseEnv(env);
    free((void *)golden.bytes);
    free((void *)graph.bytes);
    return largest <= TOLERANCE ? 0 : 1;
}
