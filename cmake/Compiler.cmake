# SPDX-License-Identifier: BSD-3-Clause
# Flags for every target of ours (docs: CONTRIBUTING.md). lwIP is a system include and gets none of the warnings.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

add_library(mpa_flags INTERFACE)
target_compile_definitions(mpa_flags INTERFACE _GNU_SOURCE MPA_VERSION="${PROJECT_VERSION}")
target_include_directories(mpa_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/lib
                                               ${CMAKE_SOURCE_DIR}/dataplane)
target_compile_options(mpa_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2
    -Werror)

# Distribution hardening, as Debian builds its packages (dpkg-buildflags hardening=+all).
set(MPA_HARDEN -fstack-protector-strong -fstack-clash-protection -fcf-protection)
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|i.86")
    set(MPA_HARDEN -fstack-protector-strong)
endif()
add_compile_options(${MPA_HARDEN})
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
add_link_options(-Wl,-z,relro -Wl,-z,now)

if(MPA_SANITIZE)
    add_compile_options(-fsanitize=${MPA_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${MPA_SANITIZE})
    if(MPA_SANITIZE MATCHES thread AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # It does not follow the fences of sleep and wake (lib/ring/wake.c); nothing else relies on one.
        target_compile_options(mpa_flags INTERFACE -Wno-tsan)
    endif()
    # The seccomp lists have a named variant for the calls a sanitizer's runtime makes.
    target_compile_definitions(mpa_flags INTERFACE MPA_SANITIZER=1)
else()
    target_compile_definitions(mpa_flags INTERFACE MPA_SANITIZER=0)
endif()
target_compile_definitions(mpa_flags INTERFACE MPA_FAULT_POINTS=$<BOOL:${MPA_FAULT_POINTS}>)
if(MPA_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()
if(MPA_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# mpa_library(NAME SOURCES... [LINK libs...]): a static library of ours.
function(mpa_library name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PUBLIC mpa_flags ${ARG_LINK})
endfunction()

# mpa_program(NAME SOURCES... [LINK libs...]): an installed binary of ours.
function(mpa_program name)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE mpa_flags ${ARG_LINK})
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
