/* checkpoints.c: the checkpoints of a run; see checkpoints.h. */
#include "cli/checkpoints.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/error.h"
#include "support/text.h"

nst_status checkpoints_begin(struct checkpoints *checkpoints, const struct arguments *arguments, nst_error *error) {
    size_t most = (size_t)arguments->argc + 2;
    if (!getcwd(checkpoints->folder, sizeof checkpoints->folder)) {
        return fail(error, NST_ERROR_FILE, "--checkpoint: cannot tell the name of the working folder: %s",
                    strerror(errno));
    }
    checkpoints->texts = calloc(most, sizeof *checkpoints->texts);
    if (!checkpoints->texts) {
        return fail_memory(error, most * sizeof *checkpoints->texts, "the command line");
    }
    nst_picture_text *texts = checkpoints->texts;
    texts[checkpoints->text_count++] = (nst_picture_text){"folder", checkpoints->folder};
    texts[checkpoints->text_count++] = (nst_picture_text){"evaluations", checkpoints->evaluations};
    for (int i = 0; i < arguments->argc; i++) {
        texts[checkpoints->text_count++] = (nst_picture_text){"argument", arguments->argv[i]};
    }
    return NST_OK;
}

void checkpoints_end(struct checkpoints *checkpoints) {
    free(checkpoints->texts);
    checkpoints->texts = NULL;
}

nst_status checkpoints_write(struct checkpoints *checkpoints, nst_job *job, int evaluations, nst_error *error) {
    nst_checkpoint_format format = {.texts = checkpoints->texts,
                                    .text_count = checkpoints->text_count,
                                    .keeps_previous = checkpoints->keeps_previous};
    double begin = seconds_now();
    snprintf(checkpoints->evaluations, sizeof checkpoints->evaluations, "%d", evaluations);
    nst_status status = nst_job_save(job, checkpoints->path, &format, error);
    double end = seconds_now(), automatic = fmax(CHECKPOINT_SECONDS, (end - begin) / CHECKPOINT_SHARE);
    checkpoints->due_at = end + (checkpoints->every_seconds > 0 ? checkpoints->every_seconds : automatic);
    checkpoints->keeps_previous = checkpoints->keeps_previous || !status;
    return status;
}

bool checkpoints_visit(struct checkpoints *checkpoints, nst_job *job, int evaluations) {
    if (!checkpoints->path || seconds_now() < checkpoints->due_at) {
        return false;
    }
    bool failed_before = checkpoints->error.status != NST_OK;
    checkpoints->error.status = NST_OK;
    return checkpoints_write(checkpoints, job, evaluations, &checkpoints->error) && !failed_before;
}

nst_status checkpoint_command_read(const nst_checkpoint *checkpoint, struct checkpoint_command *command,
                                   nst_error *error) {
    nst_picture_text text;
    int count = 0;
    long long evaluations = -1;
    while (nst_checkpoint_text(checkpoint, count, &text)) {
        count++;
    }
    *command = (struct checkpoint_command){.argv = calloc((size_t)count + 1, sizeof *command->argv)};
    if (!command->argv) {
        return fail_memory(error, (size_t)count * sizeof *command->argv, "the command line");
    }
    for (int i = 0; nst_checkpoint_text(checkpoint, i, &text); i++) {
        if (strcmp(text.keyword, "argument") == 0) {
            command->argv[command->argc++] = (char *)text.value;
        } else if (strcmp(text.keyword, "folder") == 0) {
            command->folder = text.value;
        } else if (strcmp(text.keyword, "evaluations") == 0 && !text_to_integer(text.value, &evaluations)) {
            evaluations = -1;
        }
    }
    command->evaluations = (int)evaluations;
    if (command->argc > 0 && command->folder && evaluations >= 0) {
        return NST_OK;
    }
    free(command->argv);
    command->argv = NULL;
    return fail(error, NST_ERROR_FORMAT, "checkpoint %s was not written by this command: it tells no command line",
                nst_checkpoint_path(checkpoint));
}
