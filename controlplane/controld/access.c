/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.c — the table, and names to numbers. Names are looked up once, at the start: afterwards no file may
 * be opened. Of a peer the kernel tells the user and the first group only, so the members of a group are
 * looked up too.
 */
#include "controlplane/controld/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* A line for each command, in the order of their numbers in control.proto. Capture is no look: it shows what
 * others send. */
static const struct {
    uint32_t command;
    enum access_role least;
} table[] = {
    {MPA__V1__REQUEST__BODY_GET_STATUS, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_WORKERS, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_BUCKETS, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_LANES, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_NIC, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_STATS, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_HISTOGRAMS, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_CAPTURE_START, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_CAPTURE_READ, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_CAPTURE_STOP, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_STOP, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_MIGRATE, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_DRAIN, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_UNDRAIN, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_KILL, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_GET_FLOWS, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_OPERATION, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_UPDATE, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_REBALANCE, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_SET_BALANCE, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_EXPLAIN, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_SCALE, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_RESTART, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_GET_CONFIG, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_RELOAD_CONFIG, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_SET_LOG_LEVEL, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_SET_CONFIG, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_GET_SNAPSHOT, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_GET_DEGRADE, ACCESS_READ},
    {MPA__V1__REQUEST__BODY_SET_DEGRADE, ACCESS_ADMIN},
    {MPA__V1__REQUEST__BODY_GET_LOG_LEVEL, ACCESS_READ},
};

bool access_is_decided(uint32_t command)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].command == command)
            return true;
    }
    return false;
}

enum access_role access_needed(Mpa__V1__Request__BodyCase command)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].command == (uint32_t)command)
            return table[i].least;
    }
    return ACCESS_ADMIN;
}

const char *access_role_name(enum access_role role)
{
    switch (role) {
    case ACCESS_NONE:
        return "none";
    case ACCESS_READ:
        return "read";
    case ACCESS_ADMIN:
        return "admin";
    }
    return "none";
}

const char *access_command_name(Mpa__V1__Request__BodyCase command)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&mpa__v1__request__descriptor, (unsigned)command);

    return command == MPA__V1__REQUEST__BODY__NOT_SET || field == NULL ? "request" : field->name;
}

/* ---- names to numbers ---- */

static int add_uid(struct access_list *list, uid_t uid)
{
    if (list->n_uids == ACCESS_MAX_USERS)
        return -E2BIG;
    list->uids[list->n_uids++] = uid;
    return 0;
}

/* A number in the place of a name. */
static bool is_number(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value >= UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

static int add_user(struct access_list *list, const char *name)
{
    const struct passwd *user = getpwnam(name);
    uint32_t number;

    if (user != NULL)
        return add_uid(list, user->pw_uid);
    return is_number(name, &number) ? add_uid(list, number) : -ENOENT;
}

/* The group, and each member that has it besides another first one. */
static int add_group(struct access_list *list, const char *name)
{
    const struct group *group = getgrnam(name);
    uint32_t number = 0;
    int error = 0;

    if (list->n_gids == ACCESS_MAX_GROUPS)
        return -E2BIG;
    if (group == NULL && !is_number(name, &number))
        return -ENOENT;
    if (group == NULL)
        group = getgrgid(number);
    list->gids[list->n_gids++] = group == NULL ? number : group->gr_gid;
    for (char **member = group == NULL ? NULL : group->gr_mem; member != NULL && *member != NULL; member++) {
        const struct passwd *user = getpwnam(*member);

        if (user != NULL && error == 0)
            error = add_uid(list, user->pw_uid);
    }
    return error;
}

static int list_fill(struct access_list *list, const char *names, const char *key)
{
    char text[CONFIG_USERS_BYTES];
    char *rest = text;
    const char *word;
    int error = 0;

    memcpy(text, names, sizeof(text));
    while (error == 0 && (word = strtok_r(rest, " ", &rest)) != NULL) {
        error = word[0] == '%' ? add_group(list, word + 1) : add_user(list, word);
        if (error != 0)
            log_error("access_unknown name=%s key=%s error=\"%s\"", word, key,
                      error == -ENOENT ? "no such user or group" : "too many users");
    }
    return error;
}

int access_init(struct access *access, const struct config_control *config)
{
    int error;

    *access = (struct access){.own_uid = geteuid(), .remote_role = ACCESS_READ};
    if (strcmp(config->remote_role, "admin") == 0)
        access->remote_role = ACCESS_ADMIN;
    error = list_fill(&access->admins, config->admins, "control.admins");
    return error != 0 ? error : list_fill(&access->readers, config->readers, "control.readers");
}

/* ---- who is it ---- */

static bool has_peer(const struct access_list *list, uint64_t uid, uint64_t gid)
{
    for (uint32_t i = 0; i < list->n_uids; i++) {
        if (list->uids[i] == uid)
            return true;
    }
    for (uint32_t i = 0; i < list->n_gids; i++) {
        if (list->gids[i] == gid)
            return true;
    }
    return false;
}

bool access_has_guests(const struct access *access)
{
    return access->admins.n_uids + access->admins.n_gids + access->readers.n_uids + access->readers.n_gids >
           0;
}

enum access_role access_of_peer(const struct access *access, uint64_t uid, uint64_t gid)
{
    if (uid == 0 || uid == access->own_uid || has_peer(&access->admins, uid, gid))
        return ACCESS_ADMIN;
    return has_peer(&access->readers, uid, gid) ? ACCESS_READ : ACCESS_NONE;
}
