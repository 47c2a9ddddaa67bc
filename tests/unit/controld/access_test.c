/* SPDX-License-Identifier: BSD-3-Clause */
/* access_test.c — who may ask what. */
#include "controlplane/controld/access.h"

#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"

const char unit_suite_name[] = "controld/access";

static struct access access_of(const char *admins, const char *readers)
{
    struct config config;
    struct access access;

    config_defaults(&config);
    snprintf(config.control.admins, sizeof(config.control.admins), "%s", admins);
    snprintf(config.control.readers, sizeof(config.control.readers), "%s", readers);
    CU_ASSERT_EQUAL_FATAL(access_init(&access, &config.control), 0);
    return access;
}

static void every_command_is_decided(void)
{
    const ProtobufCMessageDescriptor *request = &mpa__v1__request__descriptor;

    for (unsigned i = 0; i < request->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &request->fields[i];

        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
            continue;
        CU_ASSERT_TRUE(access_is_decided(field->id));
        if (!access_is_decided(field->id))
            fprintf(stderr, "\n  command %s: no line in the table of access.c\n", field->name);
    }
}

static void what_changes_is_the_admins_alone(void)
{
    static const Mpa__V1__Request__BodyCase changes[] = {
        MPA__V1__REQUEST__BODY_STOP,          MPA__V1__REQUEST__BODY_MIGRATE,
        MPA__V1__REQUEST__BODY_DRAIN,         MPA__V1__REQUEST__BODY_UNDRAIN,
        MPA__V1__REQUEST__BODY_KILL,          MPA__V1__REQUEST__BODY_UPDATE,
        MPA__V1__REQUEST__BODY_REBALANCE,     MPA__V1__REQUEST__BODY_SET_BALANCE,
        MPA__V1__REQUEST__BODY_CAPTURE_READ,  MPA__V1__REQUEST__BODY_CAPTURE_START,
        MPA__V1__REQUEST__BODY_SET_LOG_LEVEL,
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        CU_ASSERT_EQUAL(access_needed(changes[i]), ACCESS_ADMIN);
    CU_ASSERT_EQUAL(access_needed(MPA__V1__REQUEST__BODY_GET_STATUS), ACCESS_READ);
    CU_ASSERT_EQUAL(access_needed(MPA__V1__REQUEST__BODY_GET_FLOWS), ACCESS_READ);
    CU_ASSERT_EQUAL(access_needed(MPA__V1__REQUEST__BODY_GET_LOG_LEVEL), ACCESS_READ);
}

static void a_command_without_a_line_is_the_admins_alone(void)
{
    CU_ASSERT_FALSE(access_is_decided(4711));
    CU_ASSERT_EQUAL(access_needed((Mpa__V1__Request__BodyCase)4711), ACCESS_ADMIN);
    CU_ASSERT_EQUAL(access_needed(MPA__V1__REQUEST__BODY__NOT_SET), ACCESS_ADMIN);
}

static void root_and_our_own_user_are_admins(void)
{
    const struct access access = access_of("", "");

    CU_ASSERT_EQUAL(access_of_peer(&access, 0, 0), ACCESS_ADMIN);
    CU_ASSERT_EQUAL(access_of_peer(&access, geteuid(), 99), ACCESS_ADMIN);
    CU_ASSERT_EQUAL(access_of_peer(&access, 4242, 0), ACCESS_NONE);
    CU_ASSERT_FALSE(access_has_guests(&access));
}

static void names_numbers_and_groups_are_taken(void)
{
    const struct access access = access_of("4242 %4343", "nobody  4242");

    CU_ASSERT_TRUE(access_has_guests(&access));
    CU_ASSERT_EQUAL(access_of_peer(&access, 4242, 1), ACCESS_ADMIN);
    CU_ASSERT_EQUAL(access_of_peer(&access, 1, 4343), ACCESS_ADMIN);
    CU_ASSERT_EQUAL(access_of_peer(&access, 65534, 1), ACCESS_READ);
    CU_ASSERT_EQUAL(access_of_peer(&access, 4244, 4242), ACCESS_NONE);
}

static void numbers_of_64_bits_are_not_cut_off(void)
{
    const struct access access = access_of("4242", "%4343");

    CU_ASSERT_EQUAL(access_of_peer(&access, (1ull << 32) + 4242, 1), ACCESS_NONE);
    CU_ASSERT_EQUAL(access_of_peer(&access, 1ull << 32, 1), ACCESS_NONE);
    CU_ASSERT_EQUAL(access_of_peer(&access, UINT64_MAX, (1ull << 32) + 4343), ACCESS_NONE);
}

const struct unit_test unit_tests[] = {
    {"every command is decided", every_command_is_decided},
    {"what changes is the admin's alone", what_changes_is_the_admins_alone},
    {"a command without a line is the admin's alone", a_command_without_a_line_is_the_admins_alone},
    {"root and our own user are admins", root_and_our_own_user_are_admins},
    {"names, numbers and groups are taken", names_numbers_and_groups_are_taken},
    {"numbers of 64 bits are not cut off", numbers_of_64_bits_are_not_cut_off},
    {NULL, NULL},
};
