# Makes a Rust archive one object that defines nothing but kentro_* and holds
# what these need, without debug information and bitcode.
#
#   cmake -Dcompiler= -Dnm= -Dobjcopy= -Dar= -Dfrom= -Dto= -P localise.cmake

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${to} cannot be made: ${ARGN} failed")
  endif()
endfunction()

execute_process(COMMAND "${nm}" --extern-only --defined-only "${from}"
  OUTPUT_VARIABLE symbols ERROR_QUIET)
string(REGEX MATCHALL " T kentro_[a-z0-9_]+" symbols "${symbols}")
list(TRANSFORM symbols REPLACE " T " "-Wl,--undefined=")

# Groups of sections are dissolved: a linker would drop one that another archive
# has, too, with the names that are local to this one. Some linkers cannot leave
# out what nobody needs.
set(object "${to}.o")
set(link ${compiler} -r -nostdlib -o "${object}" -Wl,--force-group-allocation
  -Wl,--whole-archive "${from}" -Wl,--no-whole-archive)
execute_process(COMMAND ${link} -Wl,--gc-sections ${symbols} RESULT_VARIABLE status ERROR_QUIET)
if(NOT status EQUAL 0)
  run(${link})
endif()
run("${objcopy}" --wildcard "--keep-global-symbol=kentro_*" --strip-unneeded
  --remove-section=.llvmbc --remove-section=.llvmcmd "${object}")
file(REMOVE "${to}")
run("${ar}" rcs "${to}" "${object}")
file(REMOVE "${object}")
