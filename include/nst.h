/* nst.h: neural style transfer on any OpenCL device.
 *
 * The public interface of libnst. Two pictures go in, one comes out:
 *
 *     nst_context_create     an OpenCL device                      -> nst_context
 *     nst_network_open       a pre-trained network from a file     -> nst_network
 *     nst_picture_read       content and style                     -> nst_picture
 *     nst_job_create         everything planned and allocated      -> nst_job
 *     nst_job_run            the optimization loop of Gatys et al.
 *     nst_job_picture        the result                            -> nst_picture
 *     nst_job_renew          the next picture in the same style, and so on
 *     nst_job_save           what it needs to go on later          -> a file; nst_checkpoint_open, nst_job_resume
 *     nst_judge              its distances from content and style  -> nst_judgment
 *
 * Conventions
 * - Every function that can fail returns an nst_status, and takes an nst_error as its last argument, in which it
 *   leaves one line for a person: what was wrong, what was expected and found, what to do. The error may be NULL.
 *   After a failure the output arguments hold nothing that must be freed.
 * - What a function creates belongs to the caller, who hands it to the matching destroy or free function; NULL is
 *   accepted there. The context must outlive the job; network and pictures may go once the job is made.
 * - No function exits, prints, or keeps state outside the objects named here. Different contexts may be used by
 *   different threads at the same time; one context, and everything made from it, by one thread at a time. One
 *   exception is not ours: CLBlast keeps its compiled programs and the parameters set for a device in the process, so
 *   that contexts on one device share them, with each other and with a caller who uses CLBlast too.
 */
#ifndef NST_H
#define NST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nst_picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Only what is declared here is seen from outside the shared library. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define NST_VERSION "0.1.0"

/* ---- Devices --------------------------------------------------------------------------------------------------- */

typedef enum nst_device_type {
    NST_DEVICE_CPU,
    NST_DEVICE_GPU,
    NST_DEVICE_ACCELERATOR,
    NST_DEVICE_OTHER
} nst_device_type;

/* "cpu", "gpu", "accelerator" or "other". */
const char *nst_device_type_name(nst_device_type type);

/* Whether a device computes rightly, as an earlier run on this machine found. */
typedef enum nst_check { NST_CHECK_UNKNOWN, NST_CHECK_PASSED, NST_CHECK_FAILED } nst_check;

/* What is known of one OpenCL device: filled in one place, printed by every printer. */
typedef struct nst_device_info {
    int platform_index, device_index; /* P:D */
    char platform[128], name[256], board[128], vendor[128];
    char driver[128], opencl_version[128], opencl_c_version[128];
    nst_device_type type;
    bool integrated; /* shares the host's memory */
    uint32_t compute_units, clock_mhz;
    uint64_t memory_bytes, largest_allocation_bytes, local_memory_bytes;
    uint32_t vector_width_float; /* native, in elements */
    uint64_t largest_work_group;
    bool has_fp16, has_fp64;
    char bus_address[64]; /* PCI address or UUID, "" where the driver does not tell */
    int alias_of;         /* index in the list of the same card seen through an earlier platform, or -1 */
    bool usable;
    char reason[256];       /* why it is not usable */
    nst_check check;        /* of this model, with this driver */
    char check_reason[256]; /* what it computed wrongly */
    double measured_gflops; /* of an iteration, counted as direct convolutions; 0: not measured yet */
    bool is_default;        /* what `auto` takes */
} nst_device_info;

typedef struct nst_device_list {
    nst_device_info *devices;
    size_t count;
    char **notes; /* one sentence each, with what to do: a platform without devices, a driver that failed, ... */
    size_t note_count;
} nst_device_list;

/* Lists every device of every platform. A machine without any is not an error: the list is empty and its notes say why.
 * Free with nst_device_list_free. Call it before the process opens a device: drivers are asked in a child process, and
 * NVIDIA's does not answer in the child of a process that uses it. */
nst_status nst_device_list_create(nst_device_list *list, nst_error *error);
void nst_device_list_free(nst_device_list *list);

/* A device in use: its OpenCL context, queue, compiled programs. */
typedef struct nst_context nst_context;

typedef struct nst_context_options {
    /* auto, gpu, cpu, accelerator, P:D, or part of the device's name; NULL: NST_DEVICE, then auto */
    const char *device;
    bool profiling; /* record the time of every kernel */
    bool no_cache;  /* neither read nor keep anything from run to run: compiled programs, checks, tuning, speed */
    bool unchecked; /* open also a device that failed its check */
} nst_context_options;

/* Opens a device. `options` may be NULL. An explicit choice never falls back to another device.
 * Errors: NST_ERROR_DEVICE (none or several match: the message lists the devices), NST_ERROR_OPENCL. */
nst_status nst_context_create(const nst_context_options *options, nst_context **context, nst_error *error);
void nst_context_destroy(nst_context *context);

/* Runs a short self-test, of a second or less, unless this device model passed it before with this driver and version
 * of nst; whether it computes rightly is remembered. A device that does not is passed over by auto, gpu, cpu and
 * accelerator, and refused when it is asked for by place or name. Errors: NST_ERROR_DEVICE (it computes wrongly, or
 * cannot run the test, which is not remembered: the message says what). */
nst_status nst_context_check(nst_context *context, nst_error *error);

/* NULL, or one line: that a better device was passed over, and why. Owned by the context. */
const char *nst_context_note(const nst_context *context);

/* The device that the context uses; owned by the context. */
const nst_device_info *nst_context_device(const nst_context *context);

/* ---- Networks -------------------------------------------------------------------------------------------------- */

/* A pre-trained network in host memory: its layers in order, their weights, and what input it expects. */
typedef struct nst_network nst_network;

typedef struct nst_network_options {
    const char *input_convention; /* "caffe" or "torchvision", for a file that does not tell; else NULL */
    const char *until;            /* the last layer that is read; NULL: all */
} nst_network_options;

/* Opens a network by name (vgg19, ...; looked for in the user's data folder, the share folder of the installation, also
 * if it was moved, and `weights/` of the source tree, in this order) or by path (anything with a slash or an ending).
 * Accepted: safetensors, torch.save in both forms, and Keras's HDF5 where nst was built with libhdf5. `options` may be
 * NULL.
 * Errors: NST_ERROR_FILE, NST_ERROR_FORMAT, NST_ERROR_NETWORK. */
nst_status nst_network_open(const char *name_or_path, const nst_network_options *options, nst_network **network,
                            nst_error *error);
void nst_network_destroy(nst_network *network);

const char *nst_network_name(const nst_network *network);   /* "vgg19" */
const char *nst_network_path(const nst_network *network);   /* the file it was read from */
const char *nst_network_sha256(const nst_network *network); /* of that file, 64 hexadecimal digits */

/* ---- Stylizing ------------------------------------------------------------------------------------------------- */

typedef enum nst_optimizer {
    NST_AUTO,  /* what was measured to be best with the preset */
    NST_LBFGS, /* as PyTorch's */
    NST_ADAM
} nst_optimizer;
typedef enum nst_pooling { NST_POOLING_MAX, NST_POOLING_AVERAGE } nst_pooling;
/* How feature maps, their gradients and filters are kept on the device; sums, losses and the picture are in single
 * precision always. */
typedef enum nst_precision {
    NST_PRECISION_AUTO, /* single, unless the job fits the device's memory in halves only */
    NST_PRECISION_SINGLE,
    NST_PRECISION_HALF /* 16 bits: maps, gradients, and filters where engines gain by it and lose no digits */
} nst_precision;
/* Which colors the result has. Luminance and chroma are OkLab's; a chroma that sRGB does not have at that luminance becomes
 * the largest that it has. Pixels count by their alpha in means and covariances. Colors are changed before alpha is put
 * back.
 *   STYLE      as they are optimized
 *   CONTENT    luminance of the result, chroma of the content
 *   LUMINANCE  content, styles and the picture to begin with are made gray before, so that no color counts; the result gets
 *              the content's chroma
 *   MATCH      before, each style's colors (sRGB values) get the mean and covariance of the content's, by the linear map
 *              that changes them least
 *   PALETTE    luminance of the result; chroma of the content, with mean and covariance made those of the styles' chroma,
 *              smoothed along the luminance: the color step of NNST (Kolkin et al. 2022). With a gray content, the
 *              result's own chroma is taken so */
typedef enum nst_colors {
    NST_COLORS_STYLE,
    NST_COLORS_CONTENT,
    NST_COLORS_LUMINANCE,
    NST_COLORS_MATCH,
    NST_COLORS_PALETTE
} nst_colors;
typedef enum nst_init { NST_INIT_CONTENT, NST_INIT_RANDOM, NST_INIT_PICTURE } nst_init;

#define NST_MAX_SCALES      16
#define NST_MAX_LAYERS      32
#define NST_MAX_STYLES      16
#define NST_MAX_SIZE_PX     32767
#define NST_MAX_ITERATIONS  1000000 /* of a scale; all 0: the job is what it begins with, at its last scale */
#define NST_MAX_HISTORY     1000
#define NST_MAX_DEVICES     16 /* of a job */
#define NST_MIN_STYLE_SCALE 0.05
#define NST_MAX_STYLE_SCALE 20.0

typedef struct nst_layer_weight {
    char name[32];
    double weight;
} nst_layer_weight;

typedef struct nst_layer_list {
    int count;
    nst_layer_weight layers[NST_MAX_LAYERS];
} nst_layer_list;

#define NST_PRESET_LENGTH 32

typedef struct nst_settings {
    char preset[NST_PRESET_LENGTH]; /* name of an nst_preset */
    int size_px;                    /* longer side of the result, up to NST_MAX_SIZE_PX */
    int scale_count;                /* 0: chosen from the size */
    int iterations[NST_MAX_SCALES];
    int iteration_count; /* how many of `iterations` are given: 1 for every scale, or one per scale */
    double seconds;      /* 0; or the time that the job is to take: `iterations` are then proportions of one another */
    nst_optimizer optimizer;
    int history;          /* L-BFGS pairs, 1 to NST_MAX_HISTORY */
    double learning_rate; /* 0: the optimizer's default; Adam: in units of 1/255 of the range */
    nst_init init;
    uint64_t seed;
    double content_weight, style_weight, tv_weight;
    double temporal_weight; /* of the difference to the previous picture, where there is one */
    double style_scale;     /* size of the style pictures relative to the result, in the range above */
    double style_blend[NST_MAX_STYLES];
    int style_blend_count; /* 0: equal */
    nst_layer_list content_layers, style_layers;
    nst_pooling pooling;
    nst_precision precision;
    uint64_t memory_bytes; /* on the device, at most; 0: what it has */
    nst_colors colors;
    bool original_colors; /* in place of `colors`: luma of the result, chroma of the content (YCbCr of BT.601) */
} nst_settings;

/* A preset: what is minimized, how pictures are prepared, and how the image is optimized. The texts are the library's
 * own. */
typedef struct nst_preset {
    const char *name;
    const char *summary; /* half a line */
    const char *network; /* by name, the only one with which the preset is exact; NULL: any */
    int phases;          /* how often the last scale is run through, each time with its own number of iterations */
} nst_preset;

/* The preset of that place in the list, the default one first: "gram", nst's own. False behind the last. */
bool nst_preset_at(int index, nst_preset *preset);

/* Fills in the defaults of a preset, whose name then stands in settings->preset; NULL and "default" stand for the
 * first. Errors: NST_ERROR_ARGUMENT (unknown name: the message suggests the nearest and lists all). */
nst_status nst_settings_init(nst_settings *settings, const char *preset, nst_error *error);

/* Sets the content weight by one number that means about the same in every preset: at 0 the photograph is hardly touched, at
 * 1 it is hardly recognized; 1/2 stands for the preset's default. Between them the weight is interpolated geometrically.
 * Errors: NST_ERROR_ARGUMENT (unknown preset, or not within 0 to 1). */
nst_status nst_settings_set_strength(nst_settings *settings, double strength, nst_error *error);

typedef struct nst_layer_loss {
    const char *name; /* layer, "tv" or "temporal" */
    const char *kind; /* "content", "style", "tv", "temporal" */
    double loss;      /* weighted: the losses of all layers add up to the total */
} nst_layer_loss;

/* What a job tells after each evaluation of the loss. */
typedef struct nst_progress {
    int scale, scale_count;         /* from 0 */
    int width, height;              /* of this scale */
    int iteration, iteration_count; /* of this scale, from 1 */
    int evaluation;                 /* of the whole job, from 1 */
    double share;                   /* of the whole job that is done, 0..1, by iterations times pixels; never falls */
    double loss;
    const nst_layer_loss *layers;
    int layer_count;
    double seconds;               /* since the job began to run */
    double seconds_per_iteration; /* of this scale, the mean so far */
    double seconds_left;          /* an estimate, for all scales */
    const char *note;             /* NULL, or one line: why a guard stepped in */
    bool finished;                /* the job is done */
} nst_progress;

/* Called after each evaluation, from the thread that runs the job. What `progress` points to is valid during the
 * call. */
typedef void nst_progress_callback(const nst_progress *progress, void *user);

/* One run of the optimization: plans and allocates everything for its largest scale. */
typedef struct nst_job nst_job;

/* The pictures of a job. They are copied; alpha of the content is kept for the result. What is transparent in content
 * and styles counts as little as it can be seen, and the colors that are hidden there change nothing. */
typedef struct nst_job_pictures {
    const nst_picture *content;
    const nst_picture *styles;
    int style_count;
    const nst_picture *init; /* for NST_INIT_PICTURE, else NULL */
    /* Masks are gray, or are taken as such, and transparent parts of them are black. They must have the proportions of
     * the content, at any size. */
    const nst_picture
        *mask; /* where the picture may change: white yes, black not at all, gray in proportion; NULL: all */
    /* Where each style acts, style_count of them; NULL: everywhere, blended. Where masks overlap, styles share by mask times
     * blend; what none covers may not change. */
    const nst_picture *style_masks;
    /* NULL, or what the result should look like, as the temporal loss says (Ruder et al. 2016): of a film, the result of
     * the frame before, moved to where its things are now (nst_flow_warp), and where it can be relied on, white or gray
     * (nst_flow_reliability); NULL: everywhere. Both have the proportions of the content. The job begins with it, whatever
     * the settings say, and where it is not reliable with the content in its colors. */
    const nst_picture *previous, *reliable;
} nst_job_pictures;

/* Errors: NST_ERROR_ARGUMENT (settings), NST_ERROR_NETWORK (a layer that is not there, a picture too small for the
 * network), NST_ERROR_MEMORY (not even tiles of 256 pixels fit, or the job cannot be tiled: then the message names the
 * largest size that fits). */
nst_status nst_job_create(nst_context *context, const nst_network *network, const nst_settings *settings,
                          const nst_job_pictures *pictures, nst_job **job, nst_error *error);
void nst_job_destroy(nst_job *job);

/* Devices that work on one picture, each on a band of its rows. The first one leads: it has image and optimizer. */
typedef struct nst_devices {
    nst_context *const *contexts; /* count of them; they must outlive the job */
    int count;                    /* 1 to NST_MAX_DEVICES */
    /* NULL: bands are dealt out by the speeds that the devices have, and again when one turns out slower. Or what nst_job_deal
     * told, or just how many parts each has: "3,1" */
    const char *deal;
} nst_devices;

/* The same job on several devices. Gradients are those of one device but for rounding, and the same dealing gives the same
 * bytes. A device that fails in an iteration is left out, which the note of nst_progress tells: the others go on from the
 * last good image; with another leader the optimizer begins anew there. Errors besides: NST_ERROR_ARGUMENT (a dealing that
 * is none, a preset with losses that cannot be divided), NST_ERROR_MEMORY (of any device). */
nst_status nst_job_create_on(const nst_devices *devices, const nst_network *network, const nst_settings *settings,
                             const nst_job_pictures *pictures, nst_job **job, nst_error *error);

/* How the picture was dealt out so far: "8,8/41:9,7" is 8 bands for each of two devices, and 9 and 7 from the 41st
 * evaluation on. NULL where there is one device, or without memory. Owned by the job, until the next call. */
const char *nst_job_deal(nst_job *job);

/* Puts a job for other pictures, with the same context, network and settings, in the place of one that is not needed any
 * more: the same job that nst_job_create would make, in less time, since what is alike stays on the device. After a
 * failure, whose errors are the same, `*job` can only be renewed or destroyed. */
nst_status nst_job_renew(nst_job **job, const nst_network *network, const nst_job_pictures *pictures, nst_error *error);

/* Runs one iteration and fills `progress`, whose pointers stay valid until the next call. */
nst_status nst_job_step(nst_job *job, nst_progress *progress, nst_error *error);

/* Runs to the end. `callback` may be NULL. `cancel` may be NULL; when the caller sets what it points to (from another
 * thread or a signal handler), the iteration in hand is finished and NST_CANCELED returned. */
nst_status nst_job_run(nst_job *job, nst_progress_callback *callback, void *user, const volatile int *cancel,
                       nst_error *error);

/* The picture as it is now, at the size of the scale in hand, with colors changed as asked for, then the content
 * where masks say so, then its alpha. Free with nst_picture_free. */
nst_status nst_job_picture(nst_job *job, nst_picture *picture, nst_error *error);

/* The same before colors, masks and alpha: what a next frame of a film begins with. */
nst_status nst_job_painting(nst_job *job, nst_picture *painting, nst_error *error);

/* How many iterations each scale has, of the number that is returned. Where the settings give a time, that is what it comes
 * to on this device, and settled once the job has ended: settings with these numbers and without the time make the same
 * picture. */
int nst_job_schedule(const nst_job *job, int iterations[NST_MAX_SCALES]);

/* Single or half: what the job runs in, also where its settings leave that to the program. */
nst_precision nst_job_precision(const nst_job *job);

/* NULL, or one line: that a style is shown larger than asked for, because the network could not take it. Owned by the
 * job. */
const char *nst_job_note(const nst_job *job);

/* NULL, or one line: that the job does not fit into the memory that it may use as it was asked for, and runs in tiles,
 * with the same gradient but for rounding, and perhaps with a shorter history of L-BFGS, with Adam, or with the image and
 * what belongs to its pixels in the host's memory. Owned by the job. */
const char *nst_job_memory_note(const nst_job *job);

/* What the job's plan takes on the device at its largest scale, in bytes. */
uint64_t nst_job_memory_bytes(const nst_job *job);

/* Prints the plan of the largest scale: every buffer with its bytes and lifetime, every layer with its engine; what of
 * the memory is fixed and what grows with the pixels; and about how long the job takes, if the device's speed was
 * measured. */
void nst_job_print_plan(const nst_job *job, FILE *stream);

/* ---- Motion ---------------------------------------------------------------------------------------------------- */

/* How the pixels of one picture lie in another one: pixel (x, y) of the first is where (x + u, y + v) is in the second. */
typedef struct nst_flow {
    int width, height;
    float *values; /* u and v in pixels, [height][width][2], from malloc */
} nst_flow;

/* The optical flow that leads from one picture to another of the same size, computed on the device by TV-L1 from coarse
 * to fine (Zach, Pock and Bischof 2007). Free with nst_flow_free. Errors: NST_ERROR_ARGUMENT (sizes), NST_ERROR_MEMORY,
 * NST_ERROR_OPENCL. */
nst_status nst_flow_estimate(nst_context *context, const nst_picture *from, const nst_picture *to, nst_flow *flow,
                             nst_error *error);

/* Reads a .flo file of the Middlebury benchmark. Errors: NST_ERROR_FILE, NST_ERROR_FORMAT (not such a file, other bytes
 * than its sizes say, motions that are not known), NST_ERROR_MEMORY. */
nst_status nst_flow_read(const char *path, nst_flow *flow, nst_error *error);

/* The same flow between pictures of another size, linear between pixels. Errors: NST_ERROR_MEMORY. */
nst_status nst_flow_resize(const nst_flow *flow, int width, int height, nst_flow *resized, nst_error *error);

void nst_flow_free(nst_flow *flow);

/* The colors of a picture where the flow leads to, cubic between pixels: if the flow leads from A to B, and the picture is
 * B, the result is like A, without alpha. Free with nst_picture_free. Errors: NST_ERROR_ARGUMENT (sizes),
 * NST_ERROR_MEMORY, NST_ERROR_OPENCL. */
nst_status nst_flow_warp(nst_context *context, const nst_flow *flow, const nst_picture *picture, nst_picture *warped,
                         nst_error *error);

typedef struct nst_motion {
    const nst_picture *from, *to;
    const nst_flow *flow; /* from `from` to `to` */
    const nst_flow *back; /* from `to` to `from`; NULL: not known */
} nst_motion;

/* Where what is seen in `from` is also seen in `to`, where the flow leads: white there, black elsewhere, gray values in
 * three channels. It is black where the flow leads out of the picture, where the one back does not return (Sundaram, Brox
 * and Keutzer 2010), where motions meet (Ruder et al. 2016), and where colors differ by more than a quarter of the range.
 * Free with nst_picture_free. Errors: as nst_flow_warp. */
nst_status nst_flow_reliability(nst_context *context, const nst_motion *motion, nst_picture *reliable,
                                nst_error *error);

/* ---- Checkpoints ----------------------------------------------------------------------------------------------- */

/* A checkpoint is all that a job needs to go on later, in another process, as if it had never stopped: on the same device
 * the result is the same to the last bit. Targets and everything else that can be made again is made again, so that it
 * holds the image and what optimizer and losses have learned: with L-BFGS, 12 bytes for each pixel and each of two vectors
 * of a pair. It is for the machine, the device and the version of nst that wrote it, and is trusted like a program. */

typedef struct nst_checkpoint_format {
    const nst_picture_text *texts; /* the caller's own, of any bytes but zeros: nst_checkpoint_text finds them again */
    int text_count;
    bool keeps_previous; /* the file that is there becomes PATH.1, in place of the one of that name */
} nst_checkpoint_format;

/* Writes a checkpoint, between two steps or from the progress callback of nst_job_run. It is written aside, synced and
 * renamed, so that a process that is killed at any moment leaves a whole file at PATH or PATH.1. Errors: NST_ERROR_FILE,
 * NST_ERROR_OPENCL, NST_ERROR_MEMORY. */
nst_status nst_job_save(nst_job *job, const char *path, const nst_checkpoint_format *format, nst_error *error);

/* A checkpoint opened for reading. Close with nst_checkpoint_close. */
typedef struct nst_checkpoint nst_checkpoint;

/* Opens a checkpoint whose checksum is right, or, where there is none at PATH or a damaged one, that of PATH.1, which
 * `note` then tells. Errors, about PATH: NST_ERROR_FILE, NST_ERROR_FORMAT (no checkpoint, damaged, or of a newer
 * version), NST_ERROR_MEMORY. */
nst_status nst_checkpoint_open(const char *path, nst_checkpoint **checkpoint, nst_note *note, nst_error *error);
void nst_checkpoint_close(nst_checkpoint *checkpoint);

/* The file that was opened; and the caller's text of that place, false behind the last. Owned by the checkpoint. */
const char *nst_checkpoint_path(const nst_checkpoint *checkpoint);
bool nst_checkpoint_text(const nst_checkpoint *checkpoint, int index, nst_picture_text *text);

/* Puts a job that has not begun where the checkpoint's was. Program, device, network, pictures and settings must be the
 * same; otherwise it is refused, and the message says what differs, unless `accept_changes`: then `note` says it, and the
 * job goes on where its sizes allow for it. Once for each checkpoint. Errors: NST_ERROR_FORMAT, and those of
 * nst_job_step; the job is then to be destroyed. */
nst_status nst_job_resume(nst_job *job, nst_checkpoint *checkpoint, bool accept_changes, nst_note *note,
                          nst_error *error);

/* ---- Judging --------------------------------------------------------------------------------------------------- */

typedef struct nst_layer_distance {
    char name[32]; /* of the layer */
    double distance;
} nst_layer_distance;

/* How far a picture is from the style and from the content that it should have. F are the features of a layer as a
 * matrix, channels x pixels, G = F F^T / pixels its Gram matrix, m their mean over the pixels and V their covariance, and
 * * marks those of the style or the content:
 *     style        |G - G*|^2 / |G*|^2        content    |F - F*|^2 / |F*|^2
 *     wasserstein  at the style layers, the squared Wasserstein-2 distance of normal distributions, relative to the mean
 *                  squared length of the style's features:
 *                  (|m - m*|^2 + tr(V + V* - 2 (V*^(1/2) V V*^(1/2))^(1/2))) / (|m*|^2 + tr V*)
 *                  with the roots of 12 steps of Newton and Schulz, as Katherine Crowson's style-transfer-pytorch has it
 *     structure    the content's feature structure (CFSD, Chung et al. 2024): mean over the pixels i of relu3_1 of
 *                  KL(p*[i] | p[i]), p[i] = softmax over j of F[i] . F[j] / channels, features being scaled by the ratio
 *                  of torchvision's input scale and the network's; NAN where there is no such layer
 *     patches      at relu3_1 and relu4_1: mean over the picture's positions of the least cosine distance to any position
 *                  of the style turned by 0, 90, 180 and 270 degrees, features of both less their means; both pictures
 *                  resized to 384 pixels on the longer side, maximum pooling. Their mean is NAN where there is neither
 *                  layer. */
typedef struct nst_judgment {
    int width, height;     /* of the picture */
    double style, content; /* means over the layers */
    double wasserstein, structure, patches;
    int style_count, content_count, patch_count;
    nst_layer_distance style_layers[NST_MAX_LAYERS], content_layers[NST_MAX_LAYERS];
    nst_layer_distance wasserstein_layers[NST_MAX_LAYERS]; /* style_count of them */
    nst_layer_distance patch_layers[2];
} nst_judgment;

typedef struct nst_judge_pictures {
    const nst_picture *picture; /* to be judged */
    const nst_picture *content, *style;
} nst_judge_pictures;

/* Judges a picture at its own size, to which the content is resized; the style gets the size that it has in a job of
 * that size. Layers, pooling and style_scale are those of `settings`; weights and everything else do not count, and
 * everything is in single precision. What cannot be seen of the pictures weighs nothing, and what can be seen in part
 * weighs that much. Errors: NST_ERROR_ARGUMENT (no layers, settings out of range), NST_ERROR_NETWORK (a layer that is not
 * there, a picture too small for the network), NST_ERROR_MEMORY. */
nst_status nst_judge(nst_context *context, const nst_network *network, const nst_settings *settings,
                     const nst_judge_pictures *pictures, nst_judgment *judgment, nst_error *error);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
