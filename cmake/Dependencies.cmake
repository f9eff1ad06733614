# Third-party libraries: Debian packages, linked statically, so that what is built here needs only
# glibc elsewhere. docs/dependencies.md says what each is for. Each becomes a target tn_third_NAME,
# which cmake/layers.txt names.

# tn_third_party(NAME PACKAGE HEADER ARCHIVE [DEPENDENCY...]); ARCHIVE "" for a header alone.
function(tn_third_party name package header archive)
    find_path(TENON_${name}_INCLUDE NAMES ${header})
    set(found ${TENON_${name}_INCLUDE})
    if(archive)
        find_library(TENON_${name}_ARCHIVE NAMES lib${archive}.a)
        if(NOT TENON_${name}_ARCHIVE)
            set(found "")
        endif()
    endif()
    if(NOT found)
        message(FATAL_ERROR "${name} is not installed: run scripts/bootstrap build, "
                            "or: apt-get install ${package}")
    endif()
    if(archive)
        add_library(tn_third_${name} STATIC IMPORTED GLOBAL)
        set_target_properties(tn_third_${name} PROPERTIES IMPORTED_LOCATION ${TENON_${name}_ARCHIVE})
        target_link_libraries(tn_third_${name} INTERFACE ${ARGN})
    else()
        add_library(tn_third_${name} INTERFACE)
    endif()
    target_include_directories(tn_third_${name} SYSTEM INTERFACE ${TENON_${name}_INCLUDE})
endfunction()

tn_third_party(xxhash libxxhash-dev xxhash.h xxhash)
if(NOT TENON_RT_ONLY)
    tn_third_party(zlib zlib1g-dev zlib.h z)
    tn_third_party(minizip libminizip-dev minizip/unzip.h minizip tn_third_zlib)
    tn_third_party(jsmn libjsmn-dev jsmn.h "")
endif()
