# SPDX-License-Identifier: BSD-3-Clause
# Stock lwIP, unpatched. Default: the upstream tarball of the distribution's source package, version and
# hash pinned in scripts/fetch-lwip.sh. Elsewhere: -DLWIP_SOURCE_DIR=/path/to/lwip-2.2.1.

set(LWIP_SOURCE_DIR "" CACHE PATH "An unpacked lwIP 2.2.1 tree; empty: fetch the pinned one")
set(LWIP_VERSION_WANTED 2.2.1)

if(NOT LWIP_SOURCE_DIR)
    set(MPA_LWIP_DIR ${CMAKE_SOURCE_DIR}/build/lwip-${LWIP_VERSION_WANTED})
    if(NOT EXISTS ${MPA_LWIP_DIR}/.complete)
        execute_process(COMMAND ${CMAKE_SOURCE_DIR}/scripts/fetch-lwip.sh ${MPA_LWIP_DIR}
                        RESULT_VARIABLE failed)
        if(failed)
            message(FATAL_ERROR "lwIP could not be fetched; give a tree with -DLWIP_SOURCE_DIR=")
        endif()
    endif()
else()
    set(MPA_LWIP_DIR ${LWIP_SOURCE_DIR})
endif()

file(STRINGS ${MPA_LWIP_DIR}/src/include/lwip/init.h version_lines REGEX "define LWIP_VERSION_(MAJOR|MINOR|REVISION) ")
string(REGEX REPLACE "[^0-9;]" "" version_digits "${version_lines}")
string(REPLACE ";" "." version_found "${version_digits}")
if(NOT version_found STREQUAL LWIP_VERSION_WANTED)
    message(FATAL_ERROR "lwIP in ${MPA_LWIP_DIR} is ${version_found}, wanted ${LWIP_VERSION_WANTED}")
endif()

set(MPA_LWIP_CORE def.c inet_chksum.c init.c ip.c mem.c memp.c netif.c pbuf.c raw.c stats.c sys.c tcp.c tcp_in.c
    tcp_out.c timeouts.c udp.c)
set(MPA_LWIP_V4 acd.c autoip.c dhcp.c etharp.c icmp.c igmp.c ip4_frag.c ip4.c ip4_addr.c)
set(MPA_LWIP_V6 dhcp6.c ethip6.c icmp6.c inet6.c ip6.c ip6_addr.c ip6_frag.c mld6.c nd6.c)
set(MPA_LWIP_SOURCES ${MPA_LWIP_DIR}/src/netif/ethernet.c)
foreach(f ${MPA_LWIP_CORE})
    list(APPEND MPA_LWIP_SOURCES ${MPA_LWIP_DIR}/src/core/${f})
endforeach()
foreach(f ${MPA_LWIP_V4})
    list(APPEND MPA_LWIP_SOURCES ${MPA_LWIP_DIR}/src/core/ipv4/${f})
endforeach()
foreach(f ${MPA_LWIP_V6})
    list(APPEND MPA_LWIP_SOURCES ${MPA_LWIP_DIR}/src/core/ipv6/${f})
endforeach()

# mpa_lwip(NAME OPTS_DIR): one lwIP built with the lwipopts.h of OPTS_DIR. Every build is its own stack; a
# process links exactly one.
function(mpa_lwip name opts_dir)
    add_library(${name} STATIC ${MPA_LWIP_SOURCES})
    target_include_directories(${name} SYSTEM PUBLIC ${opts_dir} ${CMAKE_SOURCE_DIR}/dataplane/lwip
                                                     ${MPA_LWIP_DIR}/src/include)
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    if(MPA_SANITIZE MATCHES undefined)
        # tcp_in.c shifts a timestamp's byte into the sign bit; stock lwIP stays as it is.
        target_compile_options(${name} PRIVATE -fno-sanitize=shift)
    endif()
    if(MPA_SANITIZE MATCHES undefined)
        # Stock lwIP reads options as "byte << 24" in int: not ours to mend, and harmless on our compilers.
        target_compile_options(${name} PRIVATE -fno-sanitize=shift)
    endif()
endfunction()
