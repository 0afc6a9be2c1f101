/* The list of WALMILL_INJECT is attached or refused; only names, never actions, are run here. */
#include "base/inject.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *list = mem_strndup(data, len);
	struct err err = ERR_INIT;

	if (inject_load(list, &err))
		wm_assert(err.code == ERR_INVALID && err.hint[0]);
	inject_detach_all();
	wm_assert(inject_attached == 0);
	mem_free(list);
	return 0;
}
